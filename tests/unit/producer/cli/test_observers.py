"""How a run is watched: JSON lines, plain lines, bars."""

from __future__ import annotations

import io
import json

import pytest
from msgspec.structs import replace
from rich.console import Console

from producer.cli.call import Call
from producer.cli.show.json_lines import JsonObserver, write_summary
from producer.cli.show.live.bars import BarsObserver
from producer.cli.show.live.plain_lines import PlainObserver
from producer.cli.show.live.quiet import QuietObserver
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.summaries import show_backup, show_check, show_restore
from producer.observer import DeviceProgress, FileChange, Progress, Trouble
from producer.summaries import BackupSummary, CheckSummary, DeviceTotals, Incomplete, RestoreSummary, SnapshotLoss
from tasks.errors import DeviceError

VANISHED = Trouble(code="vanished", message="No such file or directory", path="/data/two\nlines\udcff")
WALKING = Progress(phase="walking", files_count=1200, bytes_total=3 * 1024**2)
STORING = Progress(
    phase="storing",
    files_count=1200,
    bytes_total=4 * 1024**2,
    bytes_done=1024**2,
    devices={
        "a": DeviceProgress(
            bytes_planned=2 * 1024**2, bytes_done=1024**2, segments_planned=2, segments_done=1, state="live"
        ),
        "b": DeviceProgress(bytes_planned=2 * 1024**2, bytes_done=0, segments_planned=2, segments_done=0, state="dead"),
    },
)
BACKUP = BackupSummary(
    snapshot_id="0123456789abcdef" * 2,
    volume="data",
    mode="files",
    parent_id="",
    files=1200,
    files_new=1200,
    files_changed=0,
    files_unchanged=0,
    files_moved=0,
    files_fewer=0,
    files_healed=0,
    bytes_healed=0,
    bytes_source=4 * 1024**2,
    bytes_read=4 * 1024**2,
    bytes_stored=1024**2,
    threshold_bytes=2 * 1024**2,
    segments=4,
    segments_rerouted=2,
    segments_retried=1,
    devices={
        "b": DeviceTotals(segments=1, bytes_source=1024**2, bytes_stored=262144, state="dead"),
        "a": DeviceTotals(segments=3, bytes_source=3 * 1024**2, bytes_stored=786432, state="live"),
    },
    incomplete=(),
    errors=1,
    duration_s=2.5,
    exit_code=3,
)


def test_json_lines_are_one_object_each_and_survive_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    observer = JsonObserver()
    observer.worker_started("a", 4711)
    observer.trouble(VANISHED)
    observer.note("device b is dead")
    output = capsys.readouterr()
    observer.file("moved", "data/b")
    worker, error, note = map(json.loads, output.out.splitlines())
    assert note == {"message_type": "note", "message": "device b is dead"}
    assert json.loads(capsys.readouterr().out) == {"message_type": "file", "change": "moved", "path": "data/b"}
    assert worker == {"message_type": "worker", "device": "a", "pid": 4711}
    assert error == {
        "message_type": "error",
        "code": "vanished",
        "message": "No such file or directory",
        "path": "/data/two\nlines\udcff",
    }
    assert output.err == "segfleet: device b is dead\n"


def test_json_status_comes_with_each_phase_and_not_ten_times_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    observer = JsonObserver()
    for progress in (WALKING, WALKING, STORING, replace(STORING, bytes_done=2 * 1024**2)):
        observer.progress(progress)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["phase"] for row in rows] == ["walking", "storing"]
    assert rows[1]["devices"]["a"]["bytes_done"] == 1024**2


def test_a_json_summary_has_every_field_of_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    write_summary(BACKUP)
    row = json.loads(capsys.readouterr().out)
    assert row["message_type"] == "summary"
    assert row["devices"]["a"] == {
        "segments": 3,
        "bytes_source": 3145728,
        "bytes_stored": 786432,
        "state": "live",
        "new": False,
        "bytes_copied": 0,
    }


def test_plain_lines_go_to_standard_error_with_names_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    observer = PlainObserver()
    observer.trouble(VANISHED)
    observer.progress(STORING)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "segfleet: /data/two\\nlines\\377: No such file or directory\n"


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    observer = PlainObserver(every_s=0)
    for progress in (WALKING, STORING):
        observer.progress(progress)
    PlainObserver(every_s=3600).progress(STORING)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "segfleet: walking: 1200 files, 3 MiB found so far"
    assert lines[1].startswith("segfleet: storing: 1 MiB of 4 MiB, 25 % (b dead)")
    assert len(lines) == 2


def test_quiet_says_nothing_until_something_goes_wrong_and_then_what_led_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    observer = QuietObserver()
    observer.note("device b does not answer")
    observer.progress(STORING)
    observer.file("new", "data/a")
    assert capsys.readouterr() == ("", "")
    observer.trouble(VANISHED)
    observer.note("device b is dead")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["answer", "directory", "dead"]


def test_quiet_ends_when_the_run_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeviceError), watched(Call(quiet=True)) as observer:
        observer.note("device b does not answer")
        raise DeviceError("no device is left")
    assert capsys.readouterr().err == "segfleet: device b does not answer\n"


def test_verbose_names_a_file_by_one_letter_and_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    observer = PlainObserver()
    changes: tuple[FileChange, ...] = ("new", "changed", "moved")
    for change in changes:
        observer.file(change, "data/a\nb")
    assert capsys.readouterr().err.splitlines() == ["N data/a\\nb", "C data/a\\nb", "M data/a\\nb"]


def bars(width: int, *reports: Progress) -> list[str]:
    """The lines of the bars after the last report."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    with BarsObserver(console) as observer:
        for report in reports:
            observer.progress(report)
        observer.trouble(VANISHED)
        observer.progress(reports[-1])
        shown = io.StringIO()
        Console(file=shown, width=width).print(observer._bars.get_renderable())
    assert "/data/two\\nlines\\377: No such file or directory" in screen.getvalue()
    return shown.getvalue().splitlines()


def test_bars_show_what_was_found() -> None:
    (line,) = bars(120, WALKING)
    assert "walking, 1 error, 1,200 files, 3 MiB" in line


@pytest.mark.parametrize("width", [60, 80, 120])
def test_each_device_has_one_line_and_the_whole_the_last(width: int) -> None:
    lines = bars(width, WALKING, STORING)
    assert [line.split()[0] for line in lines] == ["a", "b", "all"]
    assert all(len(line) <= width for line in lines)
    assert "0 B of 2 MiB" in lines[1]
    assert "1 MiB of 4 MiB" in lines[2]
    assert "1 error, 0 s" in lines[2]


def test_a_device_keeps_its_rate_when_another_one_dies_and_it_gets_more_to_do() -> None:
    def at(done: int, planned: int) -> Progress:
        device = replace(STORING.devices["a"], bytes_done=done, bytes_planned=planned)
        return replace(STORING, devices={**STORING.devices, "a": device})

    before = [at(done * 1024, 2 * 1024**2) for done in range(1, 9)]
    (line, *_) = bars(120, *before, at(9 * 1024, 4 * 1024**2))
    assert "9 KiB of 4 MiB" in line and "/s" in line


def test_a_dead_device_has_no_full_bar_and_no_time_left() -> None:
    dead = replace(STORING.devices["b"], bytes_done=5, bytes_planned=5, state="dead")
    _, line, _ = bars(120, replace(STORING, devices={**STORING.devices, "b": dead}))
    assert line.rstrip().endswith("dead")
    assert "left" not in line
    full = replace(dead, state="live")
    _, other, _ = bars(120, replace(STORING, devices={**STORING.devices, "b": full}))
    assert line.split()[1] != other.split()[1]


def test_a_backup_ends_with_a_table_of_its_devices(capsys: pytest.CaptureFixture[str]) -> None:
    show_backup(BACKUP)
    header, first, second, whole, rerouted, errors = capsys.readouterr().out.splitlines()
    assert header.split() == ["device", "segments", "source", "stored", "state"]
    # In the order in which they were given.
    assert first.split() == ["b", "1", "1", "MiB", "256", "KiB", "dead"]
    assert second.split() == ["a", "3", "3", "MiB", "768", "KiB", "live"]
    assert whole.startswith("snapshot 01234567 of volume data: 1200 files, 4 MiB in 4 segments, 1 MiB stored")
    assert rerouted == "2 segments rerouted, 1 retried"
    assert errors.startswith("1 ")


def test_a_later_backup_says_what_was_read_and_since_when_a_device_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    lack = Incomplete(device="c", files=2, bytes=2048, since="2026-03-01T12:00:00Z")
    found = [lack, replace(lack, lost=True), replace(lack, damaged=True)]
    show_backup(replace(BACKUP, parent_id="e" * 32, incomplete=found, bytes_read=3 * 1024**2, errors=6))
    lines = capsys.readouterr().out.splitlines()
    assert any("1200 files, 4 MiB; 3 MiB read, 1 MiB stored in 4 segments, " in line for line in lines)
    away, lost, damaged = (line for line in lines if line.startswith("incomplete"))
    assert away.startswith(
        "incomplete (device c): 2 files, 2 KiB cannot be restored until it is back, which is away since"
    )
    assert " since 2026-03-01 " in away and " ago); " in away
    assert "any more: it is lost since 2026-03-01 " in lost
    assert "any more: what it held was found damaged or missing;" in damaged


def test_a_restore_and_a_check_end_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_restore(
        RestoreSummary(
            snapshot_id="f" * 32, files=3, bytes_restored=2048, skipped=1, errors=0, duration_s=1.0, exit_code=0
        )
    )
    loss = SnapshotLoss(snapshot_id="e" * 32, volume="v", files=2, bytes=2048)
    clean = CheckSummary(
        snapshots=3,
        snapshots_damaged=(),
        segments=4,
        segments_skipped=0,
        bytes_read=0,
        errors=0,
        duration_s=1.0,
        exit_code=0,
    )
    show_check(clean)
    show_check(replace(clean, snapshots_damaged=(loss,), segments_skipped=5, errors=1, exit_code=3))
    assert capsys.readouterr().out.splitlines() == [
        "snapshot ffffffff: 3 files, 2 KiB restored, 1 skipped, 1.0 s",
        "3 snapshots, 4 segments checked, 0 B read, 1.0 s",
        "no errors found",
        "3 snapshots, 4 segments checked, 0 B read, 1.0 s",
        "5 segments skipped",
        "snapshot eeeeeeee of volume v lacks 2 files, 2 KiB",
        "2 snapshots are whole",
        "1 error found; see above",
    ]
