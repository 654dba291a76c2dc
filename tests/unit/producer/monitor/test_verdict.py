"""The verdict over rows, without a catalog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.reservations import ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.catalog.tables.snapshots.rows import SnapshotRow, SourceRow
from producer.monitor.expected import Expected
from producer.monitor.freshness import why_stale
from producer.monitor.overview import VolumeStatus
from producer.monitor.verdict import UNCHECKED_AFTER, Problem, verdict
from producer.summaries import Incomplete

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sealed(age: timedelta = HOUR) -> SnapshotRow:
    values: dict[str, Any] = dict.fromkeys(SnapshotRow.__struct_fields__, 0)
    sources = (SourceRow(name="my data", path="/srv/my data"),)
    return SnapshotRow(**{**values, "volume": "home", "sources": sources, "started_at": NOW - age, "lacks": ()})


def ended(exit_code: int, age: timedelta = HOUR, kind: Any = "backup", **summary: Any) -> RunRow:
    return RunRow(
        run_id="r",
        kind=kind,
        snapshot_id=None,
        volume="home",
        owner_host="host",
        owner_pid=1,
        started_at=NOW - age,
        ended_at=NOW - age,
        exit_code=exit_code,
        summary=summary,
    )


def volume(**values: Any) -> VolumeStatus:
    figures: dict[str, Any] = dict.fromkeys(VolumeStatus.__struct_fields__, 0)
    well = {"volume": "home", "state": "idle", "reason": "", "phase": None, "lock": None, "incomplete": ()}
    also = {"sealed": sealed(), "last_ended": ended(0), "reservations": ()}
    return VolumeStatus(**{**figures, **well, **also, **values})


def due(late: timedelta, **values: Any) -> ReservationRow:
    row = ReservationRow(
        reservation_id="1" * 32,
        volume="home",
        cron="0 2 * * *",
        timezone="UTC",
        if_missed="catch-up",
        if_busy="queue",
        request={},
        created_at=NOW,
        next_due=NOW - late,
    )
    return replace(row, **values)


def device(state: Any, reason: str = "") -> DeviceRow:
    return DeviceRow(
        name="a",
        device_id="a" * 32,
        pool_id="p" * 32,
        state=state,
        reason=reason,
        since=NOW - 3 * HOUR,
        capacity_bytes=100,
        free_bytes=50,
        epoch=1,
        path="/mnt/a",
    )


def problems(*volumes: VolumeStatus, devices: tuple[DeviceRow, ...] = (), check: RunRow | None = None) -> list[Problem]:
    return list(verdict(volumes, devices, check, NOW).problems)


def test_all_is_green_when_nothing_is_wrong() -> None:
    found = verdict([volume(), volume(sealed=sealed(5 * HOUR))], [device("live")], None, NOW)
    assert (found.colour, found.problems) == ("green", ())
    assert found.sentence == "All 2 volumes are backed up; the oldest backup is 5 h old."


def test_of_one_volume_the_last_backup_counts() -> None:
    assert verdict([volume()], [], None, NOW).sentence == "1 volume is backed up; the last backup is 1 h old."


def test_a_rotating_device_that_is_away_is_no_problem() -> None:
    lack = Incomplete(device="a", files=5, bytes=1, since="", rotating=True)
    away = replace(device("absent"), rotating=True)
    assert problems(volume(incomplete=(lack,)), devices=(away,)) == []
    assert [one.kind for one in problems(devices=(replace(away, state="dead"),))] == ["device"]


def test_a_volume_without_a_backup_is_not_green() -> None:
    found = verdict([volume(), volume(sealed=None, last_ended=None)], [], None, NOW)
    assert (found.colour, found.sentence) == ("yellow", "1 of 2 volumes has no backup yet.")


def test_an_empty_catalog_is_not_green() -> None:
    found = verdict([], [], None, NOW)
    assert (found.colour, found.sentence) == ("yellow", "Nothing has been backed up yet.")


@pytest.mark.parametrize(
    ("row", "kind", "colour", "words"),
    [
        (volume(last_ended=ended(1, error="no device")), "failed", "red", "no device"),
        (volume(last_ended=ended(10)), "failed", "red", "failed"),
        (volume(last_ended=ended(3, errors=7)), "partial", "yellow", "7 files"),
        (volume(state="interrupted", last_ended=ended(130)), "interrupted", "yellow", "interrupted"),
        (volume(state="running", last_ended=ended(1)), "failed", "red", "failed"),
        (volume(sealed=None, state="failed", last_ended=None), "failed", "red", "failed"),
        (volume(reservations=(due(2 * HOUR),)), "overdue", "red", "2 h ago"),
        (volume(reservations=(due(-HOUR, last_outcome="missed", last_message="off"),)), "overdue", "red", "off"),
        (
            volume(last_ended=None, reservations=(due(-HOUR, last_outcome="failed", last_message="no agents"),)),
            "failed",
            "red",
            "no agents",
        ),
        (
            volume(incomplete=(Incomplete(device="a", files=5, bytes=1, since=""),)),
            "incomplete",
            "red",
            "5 files of volume home",
        ),
    ],
)
def test_each_trouble_of_a_volume_is_a_problem(row: VolumeStatus, kind: str, colour: str, words: str) -> None:
    (problem,) = problems(row)
    assert (problem.kind, problem.colour, problem.subject) == (kind, colour, "home")
    assert words in problem.reason
    assert problem.remedy.startswith("segfleet ")


@pytest.mark.parametrize(
    "row",
    [
        volume(reservations=(due(timedelta(minutes=9)),)),
        volume(reservations=(due(9 * HOUR, last_outcome="running"),)),
        volume(lock=object(), state="running", reservations=(due(9 * HOUR),)),
        volume(last_ended=ended(130)),
        volume(last_ended=None, sealed=None, reservations=(due(-HOUR),)),
    ],
)
def test_what_runs_or_is_not_late_yet_is_no_problem(row: VolumeStatus) -> None:
    assert problems(row) == []


@pytest.mark.parametrize(
    ("state", "colour"),
    [("dead", "red"), ("absent", "yellow"), ("suspect", "yellow"), ("read-only", "yellow"), ("full", "yellow")],
)
def test_a_device_that_is_not_there_is_a_problem(state: str, colour: str) -> None:
    (problem,) = problems(volume(), devices=(device(state, "I/O error"),))
    assert (problem.kind, problem.colour) == ("device", colour)
    assert problem.reason == f"device a has been {state} for 3 h: I/O error"


@pytest.mark.parametrize("state", ["live", "lost"])
def test_a_device_that_works_or_was_given_up_is_no_problem(state: str) -> None:
    assert problems(volume(), devices=(device(state),)) == []


def test_what_nobody_has_checked_for_a_month_is_yellow() -> None:
    old = UNCHECKED_AFTER + HOUR
    never, long_ago = volume(sealed=sealed(old)), volume()
    assert [problem.kind for problem in problems(never)] == ["unchecked"]
    assert [problem.kind for problem in problems(long_ago, check=ended(0, old, "check"))] == ["unchecked"]
    assert problems(never, check=ended(0, kind="check")) == []


def test_damage_that_the_last_check_found_is_red() -> None:
    (problem,) = problems(volume(), check=ended(3, kind="check", errors=2))
    assert (problem.kind, problem.colour) == ("damaged", "red")


def test_the_worst_problem_gives_the_colour_and_the_sentence() -> None:
    rows = [volume(last_ended=ended(3, errors=7)), volume(volume="mail", last_ended=ended(1, error="disk full"))]
    found = verdict(rows, [], None, NOW)
    assert found.colour == "red"
    assert found.sentence == "The last backup of volume mail failed: disk full, and 1 more problem."


def test_a_source_with_spaces_is_quoted_in_the_remedy() -> None:
    (problem,) = problems(volume(last_ended=ended(1)))
    assert problem.remedy == "segfleet backup '/srv/my data' --volume home"


def test_a_backup_that_found_nothing_changed_is_as_good_as_its_snapshot() -> None:
    old = sealed(30 * HOUR)
    unchanged = volume(sealed=old, last_ended=ended(0, HOUR, snapshot_id=None))
    assert why_stale(unchanged, 26 * HOUR, NOW) == ""
    assert verdict([unchanged], [], None, NOW).sentence == "1 volume is backed up; the last backup is 1 h old."
    failed = volume(sealed=old, last_ended=ended(1, HOUR, snapshot_id=None))
    assert "is 30 h old; the limit is 26 h" in why_stale(failed, 26 * HOUR, NOW)


@pytest.mark.parametrize(
    ("values", "late", "colour", "reason"),
    [
        ({}, -HOUR, "green", "1 volume is backed up; the last backup is 1 h old."),
        ({}, 2 * HOUR, "yellow", "The scheduled check is overdue: it should have begun 2 h ago."),
        ({"last_outcome": "running"}, 2 * HOUR, "green", "1 volume is backed up; the last backup is 1 h old."),
        (
            {"last_outcome": "failed", "last_message": "device a is not there"},
            -HOUR,
            "red",
            "The scheduled check failed: device a is not there.",
        ),
    ],
)
def test_a_scheduled_check_is_judged_like_a_scheduled_backup(
    values: dict[str, Any], late: timedelta, colour: str, reason: str
) -> None:
    check = due(late, volume="", request={"kind": "check", "schedule": "weekly"}, **values)
    found = verdict([volume()], [], None, NOW, Expected(schedules=["weekly"]), [check])
    assert (found.colour, found.sentence) == (colour, reason)
