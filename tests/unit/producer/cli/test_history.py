"""``segfleet history``: from the catalog alone."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from kit.models.rows import lock
from producer.catalog.catalog import Catalog
from producer.catalog.tables.runs import RunRow
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import NewSnapshot, SourceRow
from producer.cli.main import run
from producer.host.state import open_state

SNAPSHOT = "a" * 32
STARTED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DEVICES = {
    "a": {"segments": 2, "bytes_source": 2048, "bytes_stored": 1000, "state": "live"},
    "b": {"segments": 1, "bytes_source": 1024, "bytes_stored": 500, "state": "full"},
}
SUMMARY = {
    "mode": "files",
    "files": 12345,
    "bytes_source": 3072,
    "bytes_stored": 1500,
    "segments": 3,
    "segments_rerouted": 6,
    "segments_retried": 7,
    "devices": DEVICES,
    "errors": 8,
}


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A backup with two segments on device a and one on b, one that failed, then a check that never ended."""
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Catalog(open_state().catalog_url) as catalog:
        begin_snapshot(catalog)
        catalog.runs.begin(run_row("1" * 32, kind="backup", volume="home", snapshot_id=SNAPSHOT, started_at=STARTED))
        catalog.runs.end("1" * 32, 3, SUMMARY)
        later = STARTED + timedelta(days=1)
        catalog.runs.begin(run_row("2" * 32, kind="backup", volume="home", snapshot_id=None, started_at=later))
        catalog.runs.end("2" * 32, 1, {"error": "no device is left", "strays": {}})
        later += timedelta(days=1)
        catalog.runs.begin(run_row("3" * 32, kind="check", volume="", snapshot_id=None, started_at=later))
        yield catalog


def run_row(run_id: str, **fields: Any) -> RunRow:
    ending: dict[str, Any] = {"ended_at": None, "exit_code": None, "summary": None}
    return RunRow(run_id=run_id, owner_host="here", owner_pid=42, **ending, **fields)


def begin_snapshot(catalog: Catalog) -> None:
    catalog.snapshots.begin(
        NewSnapshot(
            snapshot_id=SNAPSHOT,
            pool_id="c" * 32,
            volume="home",
            mode="files",
            hostname="here",
            tags=(),
            sources=(SourceRow(name="home", path="/home"),),
            request={},
            started_at=STARTED,
        )
    )
    planned = [
        NewSegment(
            number=number,
            segment_id=f"{number:032x}",
            device=device,
            first_entry=number,
            stop_entry=number + 1,
            offset_bytes=0,
            size_bytes=1024,
        )
        for number, device in enumerate("aab")
    ]
    catalog.segments.add(SNAPSHOT, planned)
    for row in planned:
        catalog.transitions.mark_fed(SNAPSHOT, [row.number], row.device, 0)
        catalog.transitions.record_stored(
            SNAPSHOT,
            row.number,
            device=row.device,
            device_id="d" * 32,
            epoch=0,
            bytes_stored=100,
            timing={"read_s": 0.25, "compress_s": 1.0, "write_s": 0.5, "sync_s": 2.0, "total_s": 3.0},
            object_id=uuid4().hex,
            trailer_digest=b"t" * 32,
        )


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(["history", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys, *arguments, "--json")]


def test_runs_come_oldest_first_and_one_without_an_end_was_killed(capsys: pytest.CaptureFixture[str]) -> None:
    header, backup, failed, check = lines(capsys)
    assert header.split()[:6] == ["started", "age", "run", "volume", "snapshot", "took"]
    assert backup.startswith(f"{datetime(2026, 3, 1, 12, tzinfo=UTC).astimezone():%Y-%m-%d %H:%M}  ")
    assert backup.split()[4:7] == ["backup", "home", SNAPSHOT[:8]]
    assert failed.split()[0] == "2026-03-02"
    assert failed.endswith("  1")
    assert check.split()[-2:] == ["check", "killed"]
    assert [row["outcome"] for row in rows(capsys)] == ["partial", "failed", "interrupted"]


def test_the_table_has_what_a_run_moved_and_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    header, backup, *_ = lines(capsys)
    assert header.split()[6:] == ["files", "size", "ratio", "rerouted", "retried", "errors", "exit"]
    assert backup.split()[-8:] == ["12345", "3", "KiB", "2.05", "6", "7", "8", "3"]


def test_a_row_has_the_figures_of_the_summary_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    backup, _ = rows(capsys, "home")
    assert {name: backup[name] for name in SUMMARY} == SUMMARY
    assert backup["ratio"] == 2.05


def test_the_ratio_is_that_of_what_is_stored_and_not_of_what_earlier_snapshots_hold(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    later = STARTED + timedelta(days=3)
    catalog.runs.begin(run_row("4" * 32, kind="backup", volume="home", snapshot_id=SNAPSHOT, started_at=later))
    catalog.runs.end("4" * 32, 0, {**SUMMARY, "mode": "raw", "bytes_source": 10**9})
    assert rows(capsys)[-1]["ratio"] == 2.05


def test_a_run_that_failed_has_its_reason_and_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    _, failed = rows(capsys, "home")
    assert failed["reason"] == "no device is left"
    assert {failed[name] for name in ("ratio", *SUMMARY)} == {None}


def test_the_history_of_a_volume_holds_its_runs_only(capsys: pytest.CaptureFixture[str]) -> None:
    row, _ = rows(capsys, "home")
    assert (row["message_type"], row["kind"], row["snapshot_id"]) == ("run", "backup", SNAPSHOT)


def test_timing_sums_what_the_receipts_of_each_device_say(capsys: pytest.CaptureFixture[str]) -> None:
    _, a, b = lines(capsys, "--timing")
    assert a.split() == [SNAPSHOT[:8], "a", "2", "2", "KiB", "0.50", "2.00", "1.00", "4.00", "6.00"]
    assert b.split()[1:3] == ["b", "1"]


def test_timing_as_json_has_one_object_for_each_device(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows(capsys, "--timing")
    assert [(timing["device"], timing["segments_count"], timing["sync_s"]) for timing in row["timing"]] == [
        ("a", 2, 4.0),
        ("b", 1, 2.0),
    ]


def test_a_volume_of_which_nothing_is_known_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "elsewhere", "--keep=1d"]) == 2
    captured = capsys.readouterr()
    assert "there is no run of volume elsewhere" in captured.err
    assert "removed" not in captured.err


def test_a_volume_whose_snapshots_were_rebuilt_has_no_runs_and_is_no_failure(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    row = catalog.snapshots.get(SNAPSHOT)
    catalog.snapshots.add_sealed(replace(row, snapshot_id="e" * 32, volume="rebuilt", state="sealed"))

    assert run(["history", "rebuilt"]) == 0
    assert "volume rebuilt has no runs" in capsys.readouterr().err


def test_a_history_without_runs_says_so_and_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "fresh"))
    assert run(["history"]) == 0
    assert "there are no runs yet" in capsys.readouterr().err


def test_older_runs_are_removed_on_request_and_the_rest_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["run_id"][0] for row in rows(capsys, "--keep", "9w")] == ["2", "3"]
    assert run(["history", "--keep", "9w"]) == 0
    assert "removed 0 runs" in capsys.readouterr().err


@pytest.mark.parametrize("age", ["", "90", "-3d", "3 months", "999999y d"])
def test_what_is_no_age_is_refused(capsys: pytest.CaptureFixture[str], age: str) -> None:
    assert run(["history", "--keep", age]) == 2
    assert "write hours, days, weeks or years" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        ([], [1, 2, 3]),
        (["--failed"], [1, 2, 3]),
        (["--last=1"], [3]),
        (["--failed", "--last=2"], [2, 3]),
        (["--since=2026-03-02"], [2, 3]),
        (["--since=2026-03-02T12:00:01", "home"], []),
    ],
)
def test_runs_are_chosen_by_their_end_their_number_and_their_time(
    arguments: list[str], days: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "--json", *arguments]) == 0
    found = [json.loads(line)["started"] for line in capsys.readouterr().out.splitlines()]
    assert found == [f"2026-03-0{day}T12:00:00Z" for day in days]


def test_a_run_whose_process_lives_is_running_and_has_not_failed(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(catalog, "home")
    begun = run_row("4" * 32, kind="backup", volume="home", snapshot_id=None, started_at=datetime.now(UTC))
    # As a container does it that was started again.
    same_number = replace(begun, run_id="5" * 32, started_at=datetime.now(UTC) - timedelta(days=1))
    for row in (begun, same_number):
        catalog.runs.begin(replace(row, owner_host=platform.node(), owner_pid=os.getpid()))

    assert [row["outcome"] for row in rows(capsys, "--last=2")] == ["running", "interrupted"]
    assert [line.split()[-1] for line in lines(capsys, "--last=2")[1:]] == ["running", "killed"]
    assert "4" * 32 not in [row["run_id"] for row in rows(capsys, "--failed")]


def test_a_prune_shows_what_it_freed(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    later = STARTED + timedelta(days=3)
    catalog.runs.begin(run_row("4" * 32, kind="prune", volume="", snapshot_id=None, started_at=later))
    freed = {"objects_deleted": 2, "files_deleted": 3, "bytes_freed": 2048}
    catalog.runs.end("4" * 32, 0, {"bytes_freed": 2048, "devices": {"a": freed}, "errors": 0})

    assert "2 KiB" in lines(capsys, "--last", "1")[-1]
    assert rows(capsys, "--last", "1")[0]["bytes_freed"] == 2048
