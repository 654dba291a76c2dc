from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.rows import IfBusy, IfMissed, ReservationRow
from producer.schedule.decide import MISSED_AFTER
from producer.schedule.owner import is_gone, this_process
from producer.schedule.scheduler import Scheduler

DUE = datetime(2026, 3, 1, 2, tzinfo=UTC)
TOMORROW = DUE + timedelta(days=1)
SOON = DUE + timedelta(seconds=5)
LATE = DUE + MISSED_AFTER + timedelta(seconds=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


def reserve(
    catalog: Catalog, volume: str = "home", if_missed: IfMissed = "catch-up", if_busy: IfBusy = "queue"
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
        next_due=DUE,
    )
    catalog.add_reservation(row)
    return row


def state_of(catalog: Catalog, row: ReservationRow) -> tuple[str, datetime]:
    [found] = [each for each in catalog.reservations() if each.reservation_id == row.reservation_id]
    return found.last_outcome, found.next_due


def test_nothing_is_claimed_before_it_is_due(catalog: Catalog) -> None:
    row = reserve(catalog)
    assert Scheduler(catalog).claim_due(DUE - timedelta(seconds=1)) == []
    assert Scheduler(catalog).claim_due(DUE) == [row]


def test_of_two_managers_one_gets_the_run(catalog: Catalog) -> None:
    row = reserve(catalog)
    assert Scheduler(catalog).claim_due(SOON) == [row]
    assert Scheduler(catalog).claim_due(SOON) == []
    assert state_of(catalog, row) == ("running", TOMORROW)


def test_a_run_that_has_ended_is_noted(catalog: Catalog) -> None:
    row = reserve(catalog)
    scheduler = Scheduler(catalog)
    for claimed in scheduler.claim_due(SOON):
        scheduler.ended(claimed, "partial", "2 files")
    assert state_of(catalog, row) == ("partial", TOMORROW)


def test_only_what_the_caller_serves_is_claimed(catalog: Catalog) -> None:
    _, row = reserve(catalog, "home"), reserve(catalog, "srv")
    assert Scheduler(catalog).claim_due(SOON, serves=lambda each: each.volume == "srv") == [row]


def test_no_more_are_claimed_than_asked_for(catalog: Catalog) -> None:
    reserve(catalog, "home"), reserve(catalog, "srv")
    assert len(Scheduler(catalog).claim_due(SOON, limit=1)) == 1
    assert len(catalog.claimed_reservations()) == 1


def test_missed_runs_are_caught_up_with_once_however_many_there_were(catalog: Catalog) -> None:
    row = reserve(catalog, if_missed="catch-up")
    scheduler = Scheduler(catalog)
    a_week_later = DUE + timedelta(days=7, hours=3)
    assert scheduler.claim_due(a_week_later) == [row]
    scheduler.ended(row, "done")
    assert scheduler.claim_due(a_week_later) == []
    assert state_of(catalog, row) == ("done", DUE + timedelta(days=8))


def test_missed_runs_are_left_out_where_that_was_asked_for(catalog: Catalog) -> None:
    row = reserve(catalog, if_missed="skip")
    assert Scheduler(catalog).claim_due(LATE) == []
    assert state_of(catalog, row) == ("missed", TOMORROW)
    assert [each.volume for each in Scheduler(catalog).claim_due(TOMORROW)] == ["home"]


def test_a_run_that_is_a_little_late_is_not_missed(catalog: Catalog) -> None:
    row = reserve(catalog, if_missed="skip")
    assert Scheduler(catalog).claim_due(DUE + MISSED_AFTER) == [row]


def test_a_run_waits_while_its_volume_is_busy_and_follows_once(catalog: Catalog) -> None:
    row = reserve(catalog, if_missed="skip", if_busy="queue")
    busy = Scheduler(catalog, is_busy=lambda volume: True)
    assert busy.claim_due(SOON) == []
    assert busy.claim_due(TOMORROW) == []  # it has waited: it is not missed
    assert state_of(catalog, row) == ("", DUE)

    [claimed] = Scheduler(catalog).claim_due(TOMORROW)
    assert claimed.reservation_id == row.reservation_id
    assert state_of(catalog, row) == ("running", TOMORROW + timedelta(days=1))


def test_a_run_is_left_out_while_its_volume_is_busy_where_that_was_asked_for(catalog: Catalog) -> None:
    row = reserve(catalog, if_busy="skip")
    assert Scheduler(catalog, is_busy=lambda volume: volume == "home").claim_due(SOON) == []
    assert state_of(catalog, row) == ("skipped", TOMORROW)


def test_two_reservations_of_one_volume_run_one_after_the_other(catalog: Catalog) -> None:
    reserve(catalog), reserve(catalog)
    scheduler = Scheduler(catalog)
    [first] = scheduler.claim_due(SOON)
    assert scheduler.claim_due(SOON) == []
    scheduler.ended(first, "done")
    [second] = scheduler.claim_due(SOON)
    assert second.reservation_id != first.reservation_id


def test_a_claimed_run_that_found_its_device_taken_is_due_again(catalog: Catalog) -> None:
    row = reserve(catalog, if_missed="skip")
    scheduler = Scheduler(catalog)
    scheduler.postpone(*scheduler.claim_due(SOON))
    assert state_of(catalog, row) == ("interrupted", DUE)
    assert len(scheduler.claim_due(LATE)) == 1


CLAIM_AND_DIE = """
import os, sys
from datetime import datetime
from pathlib import Path
from producer.catalog.catalog import Catalog
from producer.schedule.scheduler import Scheduler

Scheduler(Catalog(Path(sys.argv[1]))).claim_due(datetime.fromisoformat(sys.argv[2]))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("if_missed", "outcome"), [("catch-up", "running"), ("skip", "interrupted")])
def test_a_run_whose_process_was_killed_is_caught_up_with_or_over(
    catalog: Catalog, tmp_path: Path, if_missed: IfMissed, outcome: str
) -> None:
    row = reserve(catalog, if_missed=if_missed)
    command = [sys.executable, "-c", CLAIM_AND_DIE, str(tmp_path / "catalog.sqlite"), SOON.isoformat()]
    subprocess.run(command, timeout=60, check=False)
    assert [each.reservation_id for each in catalog.claimed_reservations()] == [row.reservation_id]

    assert Scheduler(catalog).has_work(SOON)
    again = Scheduler(catalog).claim_due(SOON)
    assert not Scheduler(catalog).has_work(SOON)

    assert [each.reservation_id for each in again] == [row.reservation_id] * (if_missed == "catch-up")
    assert state_of(catalog, row) == (outcome, TOMORROW)


def test_an_owner_is_gone_when_its_process_is_but_not_when_it_is_of_another_host() -> None:
    host, pid, start = this_process().rsplit("/", 2)
    assert not is_gone(f"{host}/{pid}/{start}")
    assert is_gone(f"{host}/{pid}/1")  # another process has the number now
    assert is_gone(f"{host}/{2**22 + 1}/{start}")
    assert not is_gone(f"{host}.elsewhere/{pid}/1")
