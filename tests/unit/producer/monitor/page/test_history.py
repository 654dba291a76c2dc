"""What the page makes of 30 days of runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from producer.catalog.tables.runs import BriefRun, figures_of
from producer.monitor.at_work import Process
from producer.monitor.page.history import Day, JudgedDay, dates, day_of, full_in_days, judged, strips

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(days_ago: int, exit_code: int | None, *, minutes: int = 30, kind: Any = "backup", **stored: Any) -> BriefRun:
    at = NOW - timedelta(days=days_ago)
    devices = {name: {"bytes_stored": value, "state": "live"} for name, value in stored.items()}
    return BriefRun(
        run_id="r",
        kind=kind,
        volume="home",
        owner_host="host",
        owner_pid=1,
        started_at=at,
        ended_at=None if exit_code is None else at + timedelta(minutes=minutes),
        exit_code=exit_code,
        figures=figures_of(json.dumps({"devices": devices})),
    )


def days_of(*runs: BriefRun, processes: frozenset[Process] = frozenset()) -> list[JudgedDay]:
    return [judged(day, [run for run in runs if day_of(run) == day], processes) for day in dates(NOW)]


def days(*runs: BriefRun) -> list[Day]:
    return [one.day for one in days_of(*runs)]


def test_each_day_has_the_mark_of_its_last_backup() -> None:
    later = msgspec.structs.replace(run(3, 1), started_at=NOW - timedelta(days=3, hours=-1))
    found = strips(days_of(run(0, 0), run(1, 3), run(2, 130), later, run(3, 0), run(5, 0, kind="check")))
    assert found["home"][-6:] == ("none", "none", "failed", "interrupted", "partial", "done")


def test_a_day_does_not_count_the_backup_that_runs_but_one_that_was_killed() -> None:
    begun = [msgspec.structs.replace(run(0, 0), started_at=NOW - timedelta(hours=1)), run(0, None)]
    process = Process(host="host", pid=1, since=NOW)
    assert strips(days_of(*begun, processes=frozenset({process})))["home"][-1] == "done"
    assert strips(days_of(*begun))["home"][-1] == "interrupted"


def test_a_day_sums_what_its_backups_stored_and_took() -> None:
    history = days(run(0, 0, a=5, b=7), run(0, 3, a=1), run(0, None), run(1, 1))
    assert (history[-1].stored_bytes, history[-1].minutes) == ({"a": 6, "b": 7}, 60)
    assert (history[-2].stored_bytes, history[-2].minutes) == ({}, 30)


def test_a_strange_summary_stores_nothing() -> None:
    assert days(run(0, 0, a="many", b=None))[-1].stored_bytes == {}


def test_a_device_is_full_when_its_pace_has_used_up_what_is_free() -> None:
    history = days(*(run(day, 0, a=10) for day in range(10)))
    assert full_in_days(500, "a", history) == 50
    assert full_in_days(500, "b", history) is None


def test_one_day_says_nothing_about_the_pace() -> None:
    assert full_in_days(500, "a", days(run(0, 0, a=10))) is None
