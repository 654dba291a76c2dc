from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import ReservationRow

DUE = datetime(2026, 3, 1, 2, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)
DEADLINE_S = 60


@pytest.fixture
def row(catalog: Catalog) -> ReservationRow:
    return reserved(catalog)


def reserved(catalog: Catalog, volume: str = "home", next_due: datetime = DUE) -> ReservationRow:
    row = ReservationRow(
        reservation_id=uuid4().hex,
        volume=volume,
        cron="0 2 * * *",
        timezone="Europe/Berlin",
        if_missed="catch-up",
        if_busy="queue",
        request={"sources": [{"name": "caf\udce9", "path": "/srv"}]},
        created_at=DUE,
        next_due=next_due,
    )
    catalog.reservations.add(row)
    return row


def test_a_reservation_comes_back_as_it_was_made(catalog: Catalog, row: ReservationRow) -> None:
    assert catalog.reservations.all() == [row]


def test_the_one_that_is_due_first_is_in_front_and_what_is_not_due_is_left_out(catalog: Catalog) -> None:
    later, first, last = (reserved(catalog, next_due=DUE + timedelta(hours=hours)) for hours in (1, 0, 2))
    assert catalog.reservations.all() == [first, later, last]
    assert catalog.reservations.due(DUE + timedelta(hours=1)) == [first, later]


def test_a_run_is_claimed_once(catalog: Catalog, row: ReservationRow) -> None:
    assert catalog.reservations.claim(row, NEXT, "first")
    assert not catalog.reservations.claim(row, NEXT, "second")

    [claimed] = catalog.reservations.claimed()
    assert (claimed.owner, claimed.last_due, claimed.next_due) == ("first", DUE, NEXT)
    assert catalog.reservations.due(DUE) == []


def test_two_reservations_of_one_volume_are_not_claimed_together(catalog: Catalog, row: ReservationRow) -> None:
    other, of_another_volume = reserved(catalog), reserved(catalog, volume="srv")
    assert catalog.reservations.claim(row, NEXT, "first")
    assert not catalog.reservations.claim(other, NEXT, "second")
    assert catalog.reservations.claim(of_another_volume, NEXT, "second")

    assert catalog.reservations.end(row, "first", "done", "")
    assert catalog.reservations.claim(other, NEXT, "second")


def test_of_many_managers_that_want_a_run_at_once_one_gets_it(
    catalog: Catalog, catalog_url: str, row: ReservationRow
) -> None:
    other, won, ready = reserved(catalog), [], threading.Barrier(6)

    def claim(number: int) -> None:
        with Catalog(catalog_url) as own:
            ready.wait(DEADLINE_S)
            # Half of them want the one reservation of the volume, half the other.
            if own.reservations.claim((row, other)[number % 2], NEXT, f"manager {number}"):
                won.append(number)

    managers = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for manager in managers:
        manager.start()
    for manager in managers:
        manager.join(DEADLINE_S)
    assert len(won) == 1
    assert [claimed.owner for claimed in catalog.reservations.claimed()] == [f"manager {won[0]}"]


def test_only_the_owner_ends_a_run_and_only_once(catalog: Catalog, row: ReservationRow) -> None:
    catalog.reservations.claim(row, NEXT, "first")
    assert not catalog.reservations.end(row, "second", "done", "")
    assert catalog.reservations.end(row, "first", "failed", "no such disk: caf\udce9")
    assert not catalog.reservations.end(row, "first", "done", "")

    [ended] = catalog.reservations.all()
    assert (ended.last_outcome, ended.last_message) == ("failed", "no such disk: caf\udce9")
    assert ended.last_ended_at is not None


def test_a_claimed_run_can_be_made_due_again(catalog: Catalog, row: ReservationRow) -> None:
    catalog.reservations.claim(row, NEXT, "first")
    assert not catalog.reservations.reopen(row, DUE, "second", queued_at=None)
    assert catalog.reservations.reopen(row, DUE, "first", queued_at=DUE)

    [due] = catalog.reservations.due(DUE)
    assert (due.next_due, due.queued_at, due.last_outcome) == (DUE, DUE, "interrupted")
    assert catalog.reservations.claim(due, NEXT, "second")
    assert catalog.reservations.claimed()[0].queued_at is None


def test_a_run_that_was_passed_over_is_not_due_any_more_and_tells_why(catalog: Catalog, row: ReservationRow) -> None:
    assert catalog.reservations.pass_over(row, NEXT, "missed", "nobody was there")
    assert not catalog.reservations.pass_over(row, NEXT, "missed", "nobody was there")
    assert not catalog.reservations.claim(row, NEXT, "first")

    [passed] = catalog.reservations.all()
    assert (passed.next_due, passed.last_due) == (NEXT, DUE)
    assert (passed.last_outcome, passed.last_message) == ("missed", "nobody was there")


def test_the_time_since_when_a_run_waits_is_that_of_the_first_call(catalog: Catalog, row: ReservationRow) -> None:
    for minutes in (1, 2):
        catalog.reservations.queue(row, DUE + timedelta(minutes=minutes))
    assert catalog.reservations.due(DUE) == [replace(row, queued_at=DUE + timedelta(minutes=1))]


def test_a_reservation_is_removed_once(catalog: Catalog, row: ReservationRow) -> None:
    other = reserved(catalog)
    assert catalog.reservations.remove(row.reservation_id)
    assert not catalog.reservations.remove(row.reservation_id)
    assert catalog.reservations.all() == [other]
    assert not catalog.reservations.claim(row, NEXT, "first")
