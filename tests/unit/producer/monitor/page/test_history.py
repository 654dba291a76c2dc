"""What the page makes of 30 days of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from producer.catalog.tables.runs import RunRow
from producer.monitor.page.history import DAYS_COUNT, days, full_in_days, strips

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(days_ago: int, exit_code: int | None, *, minutes: int = 30, kind: Any = "backup", **stored: Any) -> RunRow:
    at = NOW - timedelta(days=days_ago)
    return RunRow(
        run_id="r",
        kind=kind,
        snapshot_id=None,
        volume="home",
        owner_host="host",
        owner_pid=1,
        started_at=at,
        ended_at=None if exit_code is None else at + timedelta(minutes=minutes),
        exit_code=exit_code,
        summary={"devices": {name: {"bytes_stored": value} for name, value in stored.items()}} if stored else None,
    )


def test_each_day_has_the_mark_of_its_last_backup() -> None:
    newest_first = [run(0, None), run(0, 0), run(0, 1), run(1, 3), run(2, 130), run(4, 10), run(5, 0, kind="check")]
    assert strips(newest_first, NOW)["home"][-6:] == ["none", "failed", "none", "interrupted", "partial", "done"]


def test_runs_before_the_thirty_days_make_no_mark() -> None:
    assert strips([run(DAYS_COUNT, 0)], NOW) == {}


def test_a_day_sums_what_its_backups_stored_and_took() -> None:
    history = days([run(0, 0, a=5, b=7), run(0, 3, a=1), run(0, None), run(1, 1)], NOW)
    assert (history[-1].stored_bytes, history[-1].minutes) == ({"a": 6, "b": 7}, 60)
    assert (history[-2].stored_bytes, history[-2].minutes) == ({}, 30)


def test_a_strange_summary_stores_nothing() -> None:
    assert days([run(0, 0, a="many", b=None)], NOW)[-1].stored_bytes == {}


def test_a_device_is_full_when_its_pace_has_used_up_what_is_free() -> None:
    history = days([run(day, 0, a=10) for day in range(10)], NOW)
    assert full_in_days(500, "a", history) == 50
    assert full_in_days(500, "b", history) is None


def test_one_day_says_nothing_about_the_pace() -> None:
    assert full_in_days(500, "a", days([run(0, 0, a=10)], NOW)) is None
