from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import IfBusy, IfMissed, ReservationRow
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.schedule.belongs import belongs_here
from producer.schedule.decide import MISSED_AFTER
from producer.schedule.scheduler import Scheduler, has_work

DUE = datetime(2026, 3, 1, 2, tzinfo=UTC)
TOMORROW = DUE + timedelta(days=1)
SOON = DUE + timedelta(seconds=5)
LATE = DUE + MISSED_AFTER + timedelta(seconds=1)


@pytest.fixture
def location(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.sqlite'}"


@pytest.fixture
def catalog(location: str) -> Iterator[Catalog]:
    with Catalog(location) as opened:
        yield opened


@pytest.fixture
def scheduler(location: str) -> Iterator[Scheduler]:
    with Catalog(location) as opened, LockHolder(opened, location) as holder:
        yield Scheduler(holder)


@pytest.fixture
def other(location: str) -> Iterator[Scheduler]:
    """Of another manager of the same catalog."""
    with Catalog(location) as opened, LockHolder(opened, location) as holder:
        yield Scheduler(holder)


@contextmanager
def being_backed_up(location: str, volume: str = "home") -> Iterator[None]:
    """While somebody backs up the volume, by hand."""
    with (
        Catalog(location) as catalog,
        LockHolder(catalog, location) as holder,
        holder.holding(volume_lock(volume), purpose="a backup"),
    ):
        yield


def reserve(
    catalog: Catalog,
    volume: str = "home",
    if_missed: IfMissed = "catch-up",
    if_busy: IfBusy = "queue",
    manager: str = "",
    host: str = "",
    next_due: datetime = DUE,
) -> ReservationRow:
    row = ReservationRow(
        reservation_id=uuid4().hex,
        volume=volume,
        cron="0 2 * * *",
        timezone="UTC",
        if_missed=if_missed,
        if_busy=if_busy,
        request={},
        created_at=DUE - timedelta(days=1),
        next_due=next_due,
        manager=manager,
        host=host,
    )
    catalog.reservations.add(row)
    return row


def state_of(catalog: Catalog, row: ReservationRow) -> tuple[str, datetime]:
    [found] = [each for each in catalog.reservations.all() if each.reservation_id == row.reservation_id]
    return found.last_outcome, found.next_due


def test_nothing_is_claimed_before_it_is_due(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog)
    assert scheduler.claim_due(DUE - timedelta(seconds=1)) == []
    assert scheduler.claim_due(DUE) == [row]


def test_of_two_managers_one_gets_the_run(catalog: Catalog, scheduler: Scheduler, other: Scheduler) -> None:
    row = reserve(catalog)
    assert scheduler.claim_due(SOON) == [row]
    assert other.claim_due(SOON) == []
    assert state_of(catalog, row) == ("running", TOMORROW)


def test_a_run_that_has_ended_is_noted(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog)
    for claimed in scheduler.claim_due(SOON):
        scheduler.ended(claimed, "partial", "2 files")
    assert state_of(catalog, row) == ("partial", TOMORROW)


def test_only_what_the_caller_serves_is_claimed(catalog: Catalog, scheduler: Scheduler) -> None:
    _, row = reserve(catalog, "home"), reserve(catalog, "srv")
    assert scheduler.claim_due(SOON, serves=lambda each: each.volume == "srv") == [row]


def test_no_more_are_claimed_than_asked_for(catalog: Catalog, scheduler: Scheduler) -> None:
    reserve(catalog, "home"), reserve(catalog, "srv")
    assert len(scheduler.claim_due(SOON, limit=1)) == 1
    assert len(catalog.reservations.claimed()) == 1


def test_missed_runs_are_caught_up_with_once_however_many_there_were(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog, if_missed="catch-up")
    a_week_later = DUE + timedelta(days=7, hours=3)
    assert scheduler.claim_due(a_week_later) == [row]
    scheduler.ended(row, "done")
    assert scheduler.claim_due(a_week_later) == []
    assert state_of(catalog, row) == ("done", DUE + timedelta(days=8))


def test_missed_runs_are_left_out_where_that_was_asked_for(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog, if_missed="skip")
    assert scheduler.claim_due(LATE) == []
    assert state_of(catalog, row) == ("missed", TOMORROW)
    assert [each.volume for each in scheduler.claim_due(TOMORROW)] == ["home"]


def test_a_run_that_is_a_little_late_is_not_missed(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog, if_missed="skip")
    assert scheduler.claim_due(DUE + MISSED_AFTER) == [row]


def test_a_run_waits_while_its_volume_is_busy_and_follows_once(
    catalog: Catalog, scheduler: Scheduler, location: str
) -> None:
    row = reserve(catalog, if_missed="skip", if_busy="queue")
    with being_backed_up(location):
        assert scheduler.claim_due(SOON) == []
        assert scheduler.claim_due(TOMORROW) == []  # it has waited: it is not missed
    assert state_of(catalog, row) == ("", DUE)

    [claimed] = scheduler.claim_due(TOMORROW)
    assert claimed.reservation_id == row.reservation_id
    assert state_of(catalog, row) == ("running", TOMORROW + timedelta(days=1))


def test_a_run_that_waits_is_no_work_until_its_volume_is_free(
    catalog: Catalog, scheduler: Scheduler, location: str
) -> None:
    reserve(catalog)
    with being_backed_up(location):
        assert has_work(catalog, SOON)  # to note that it waits
        scheduler.claim_due(SOON)
        assert not has_work(catalog, SOON)
        assert not has_work(catalog, TOMORROW)
    assert has_work(catalog, SOON)


def test_a_run_is_left_out_while_its_volume_is_busy_where_that_was_asked_for(
    catalog: Catalog, scheduler: Scheduler, location: str
) -> None:
    row = reserve(catalog, if_busy="skip")
    with being_backed_up(location):
        assert scheduler.claim_due(SOON) == []
    assert state_of(catalog, row) == ("skipped", TOMORROW)


def test_two_reservations_of_one_volume_run_one_after_the_other(catalog: Catalog, scheduler: Scheduler) -> None:
    reserve(catalog), reserve(catalog)
    [first] = scheduler.claim_due(SOON)
    assert scheduler.claim_due(SOON) == []
    scheduler.ended(first, "done")
    [second] = scheduler.claim_due(SOON)
    assert second.reservation_id != first.reservation_id


def test_a_claimed_run_that_found_its_device_taken_is_due_again(catalog: Catalog, scheduler: Scheduler) -> None:
    row = reserve(catalog, if_missed="skip")
    scheduler.postpone(*scheduler.claim_due(SOON))
    assert state_of(catalog, row) == ("interrupted", DUE)
    assert len(scheduler.claim_due(LATE)) == 1


CLAIM_AND_DIE = """
import os, sys
from datetime import datetime

from producer.catalog.catalog import Catalog
from producer.ownership.lock_holder import LockHolder
from producer.schedule.scheduler import Scheduler

with Catalog(sys.argv[1]) as catalog, LockHolder(catalog, sys.argv[1]) as holder:
    Scheduler(holder).claim_due(datetime.fromisoformat(sys.argv[2]))
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("if_missed", "outcome"), [("catch-up", "running"), ("skip", "interrupted")])
def test_a_run_whose_process_was_killed_is_caught_up_with_or_over(
    catalog: Catalog, if_missed: IfMissed, outcome: str, scheduler: Scheduler, location: str
) -> None:
    row = reserve(catalog, if_missed=if_missed)
    command = [sys.executable, "-c", CLAIM_AND_DIE, location, SOON.isoformat()]
    subprocess.run(command, timeout=60, check=False)
    assert [each.reservation_id for each in catalog.reservations.claimed()] == [row.reservation_id]

    assert has_work(catalog, SOON)
    again = scheduler.claim_due(SOON)
    assert not has_work(catalog, SOON)

    assert [each.reservation_id for each in again] == [row.reservation_id] * (if_missed == "catch-up")
    assert state_of(catalog, row) == (outcome, TOMORROW)


@pytest.mark.parametrize(
    ("manager", "host", "ours"),
    [
        ("", "", True),
        ("m", "", True),
        ("n", "", False),
        ("", platform.node(), True),
        ("", "another.host", False),
        ("m", "another.host", False),
    ],
)
def test_a_reservation_is_for_its_manager_and_its_host(
    catalog: Catalog, scheduler: Scheduler, manager: str, host: str, ours: bool
) -> None:
    row = reserve(catalog, manager=manager, host=host)

    def serves(each: ReservationRow) -> bool:
        return belongs_here(each, manager="m")

    assert has_work(catalog, SOON, serves) is ours
    assert scheduler.claim_due(SOON, serves=serves) == [row] * ours


def test_a_next_time_more_than_one_period_ahead_is_computed_anew(catalog: Catalog, location: str) -> None:
    reserve(catalog, next_due=DUE + timedelta(days=3650))
    told: list[str] = []
    assert has_work(catalog, DUE - timedelta(hours=1))
    with LockHolder(catalog, location) as holder:
        assert Scheduler(holder, note=told.append).claim_due(DUE - timedelta(hours=1)) == []

    assert [row.next_due for row in catalog.reservations.all()] == [DUE]
    assert "the clock was wrong" in told[0]


def test_a_clock_set_back_a_little_after_a_claim_starts_no_second_run(catalog: Catalog, scheduler: Scheduler) -> None:
    reserve(catalog)
    (claimed,) = scheduler.claim_due(SOON)
    scheduler.ended(claimed, "done")

    assert scheduler.claim_due(DUE - timedelta(seconds=5)) == []
    assert [row.next_due for row in catalog.reservations.all()] == [TOMORROW]
