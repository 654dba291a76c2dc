"""The log of a run: what it has reported, with times, bounded, and never a reason to fail."""

from __future__ import annotations

import os
from pathlib import Path

from kit.models.offline import Recorded
from producer.host.run_logs import log_file, read_log, remove_oldest
from producer.observer import Progress, Trouble
from producer.run.log import RunLog

RUN = "ab" * 16


def lines(folder: Path) -> list[str]:
    return [line.partition("  ")[2] for line in read_log(folder, RUN) or []]


def test_all_that_a_run_reports_is_written_and_passed_on(tmp_path: Path) -> None:
    inner = Recorded()
    log = RunLog(inner, tmp_path, RUN)
    log.note("device a is new")
    log.begin("backup of volume home")
    for _ in range(3):
        log.progress(Progress(phase="storing"))
    log.trouble(Trouble(code="vanished", message="No such file", path="/data/two\nlines"))
    log.end("ended with exit code 3")
    log.close()
    assert lines(tmp_path) == [
        "backup of volume home",
        "device a is new",
        "[storing]",
        "/data/two\\nlines: No such file",
        "ended with exit code 3",
    ]
    assert (inner.notes, len(inner.troubles), len(inner.progresses)) == (["device a is new"], 1, 3)


def test_what_never_begins_leaves_no_log(tmp_path: Path) -> None:
    log = RunLog(Recorded(), tmp_path, RUN)
    log.note("locked")
    log.close()
    assert read_log(tmp_path, RUN) is None


def test_a_log_is_bounded_and_still_has_the_end(tmp_path: Path) -> None:
    log = RunLog(Recorded(), tmp_path, RUN, max_lines=4)
    log.begin("backup")
    for number in range(10):
        log.note(str(number))
    log.end("ended with exit code 0")
    assert lines(tmp_path) == ["backup", "0", "1", "", "ended with exit code 0"]
    assert (read_log(tmp_path, RUN) or [])[3] == "the log is full; what follows is left out"


def test_a_log_that_cannot_be_written_keeps_no_run_from_ending(tmp_path: Path) -> None:
    inner = Recorded()
    (tmp_path / "file").touch()
    log = RunLog(inner, tmp_path / "file", RUN)
    log.begin("backup")
    log.note("kept")
    log.end("ended with exit code 0")
    log.close()
    assert inner.notes == ["kept"]


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        log_file(tmp_path, str(number)).touch()
        os.utime(log_file(tmp_path, str(number)), (number, number))
    remove_oldest(tmp_path, keep_count=2)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["3", "4"]
