"""What becomes of a claimed reservation when its run ends, well or not."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from kit.models.reservations import make_due
from kit.models.rows import begin, record_run
from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import IfMissed, ReservationRow
from producer.host.signals import act_on_held_signal
from producer.ownership.lock_holder import LockHolder
from producer.run.interrupt import Interrupt, on_sigterm
from producer.schedule.asked import Asked
from producer.schedule.reserve import reserve
from producer.schedule.run import run_reservation
from producer.schedule.scheduler import Scheduler
from producer.summaries import UpkeepSummary
from tasks.errors import (
    BrokerError,
    DeviceError,
    DeviceFullError,
    InterruptedRun,
    NotADeviceError,
    SegfleetError,
    UsageError,
)


@pytest.fixture
def location(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.sqlite'}"


@pytest.fixture
def holder(location: str) -> Iterator[LockHolder]:
    with Catalog(location) as catalog, LockHolder(catalog, location) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_a_manager_s_child() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, on_sigterm)
    yield
    signal.signal(signal.SIGTERM, previous)


def reserved(catalog: Catalog, volume: str, if_missed: IfMissed = "catch-up") -> ReservationRow:
    asked = Asked(arguments=(f"--volume={volume}",))
    return reserve(catalog, volume, asked, cron="0 2 * * *", timezone="UTC", if_missed=if_missed, if_busy="queue")


def while_storing(number: signal.Signals) -> NoReturn:
    with Interrupt() as interrupt:
        signal.raise_signal(number)
        interrupt.check()
    pytest.fail("it went on")


def before_storing(number: signal.Signals) -> NoReturn:
    """In the midst of the commands before the backup, for example."""
    signal.raise_signal(number)
    pytest.fail("it went on")


@pytest.mark.parametrize("moment", [while_storing, before_storing])
@pytest.mark.parametrize(
    ("number", "if_missed", "is_due_again"),
    [
        (signal.SIGTERM, "catch-up", True),
        (signal.SIGTERM, "skip", False),
        (signal.SIGINT, "catch-up", False),
    ],
)
def test_a_run_whose_process_has_to_end_is_caught_up_with_and_one_after_ctrl_c_is_over(
    holder: LockHolder,
    moment: Callable[[signal.Signals], NoReturn],
    number: signal.Signals,
    if_missed: IfMissed,
    is_due_again: bool,
) -> None:
    scheduler = Scheduler(holder)
    due = reserved(holder.catalog, "home", if_missed).next_due
    [claimed] = scheduler.claim_due(due)

    with pytest.raises((InterruptedRun, KeyboardInterrupt)):
        run_reservation(claimed, scheduler, lambda: moment(number))

    [row] = holder.catalog.reservations.all()
    assert row.last_outcome == "interrupted"
    assert (row.next_due == due) is is_due_again
    assert len(scheduler.claim_due(due)) == is_due_again


def test_a_reservation_whose_zone_is_not_known_here_fails_and_keeps_no_other_from_running(holder: LockHolder) -> None:
    good = reserved(holder.catalog, "good")
    bad = replace(good, reservation_id="bad", volume="bad", timezone="Europe/Nowhere")
    holder.catalog.reservations.add(bad)
    scheduler, began = Scheduler(holder), list[str]()

    def back_up(volume: str) -> NoReturn:
        began.append(volume)
        raise SegfleetError("a test ends it here")

    for row in scheduler.claim_due(good.next_due):
        run_reservation(row, scheduler, partial(back_up, row.volume))

    assert began == ["good"]
    [noted] = [row for row in holder.catalog.reservations.all() if row.volume == "bad"]
    assert (noted.last_outcome, noted.last_message) == ("failed", "there is no time zone 'Europe/Nowhere'")
    assert noted.next_due == bad.next_due + timedelta(days=1)
    assert scheduler.claim_due(good.next_due) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("signals_count", [1, 2])
def test_a_run_is_not_made_again_when_its_process_has_to_end_while_the_end_is_recorded(
    holder: LockHolder, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, signals_count: int
) -> None:
    scheduler = Scheduler(holder)
    due = reserved(holder.catalog, "home").next_due
    [claimed] = scheduler.claim_due(due)
    still_to_come = [number] * signals_count
    ended = holder.catalog.reservations.end

    def interrupted_end(*arguments: Any, **fields: Any) -> bool:
        while still_to_come:
            signal.raise_signal(still_to_come.pop())
        return ended(*arguments, **fields)

    monkeypatch.setattr(holder.catalog.reservations, "end", interrupted_end)

    with pytest.raises(KeyboardInterrupt):
        run_reservation(claimed, scheduler, lambda: UpkeepSummary(kind="check", exit_code=0))
        act_on_held_signal()

    [row] = holder.catalog.reservations.all()
    assert (row.last_outcome, row.next_due > due) == ("done", True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_recorded_as_ended_has_ended_whatever_ends_its_process_then(
    holder: LockHolder, location: str, number: signal.Signals
) -> None:
    def back_up() -> NoReturn:
        snapshot_id = begin(holder.catalog, "home")
        record_run(holder.catalog, "home", exit_code=3, started_at=datetime.now(UTC), snapshot_id=snapshot_id)
        before_storing(number)

    scheduler = Scheduler(holder)
    due = reserved(holder.catalog, "home").next_due
    make_due(location)
    [claimed] = scheduler.claim_due(datetime.now(UTC))

    with pytest.raises(KeyboardInterrupt):
        run_reservation(claimed, scheduler, back_up)

    [row] = holder.catalog.reservations.all()
    assert (row.last_outcome, row.next_due) == ("partial", due)


class Absent:
    """Backs nothing up, because nobody is there."""

    def __init__(self, error: SegfleetError) -> None:
        self.error = error

    def __call__(self) -> NoReturn:
        raise self.error


@pytest.mark.parametrize("error", [DeviceError("no agent"), BrokerError("away"), NotADeviceError("no device there")])
def test_a_run_that_found_nobody_is_tried_again_within_minutes(
    holder: LockHolder, location: str, error: SegfleetError
) -> None:
    scheduler = Scheduler(holder)
    reserved(holder.catalog, "home")
    make_due(location)
    [claimed] = scheduler.claim_due(datetime.now(UTC))

    run_reservation(claimed, scheduler, Absent(error))

    [row] = holder.catalog.reservations.all()
    assert row.last_outcome == "failed"
    assert row.last_message.startswith(f"{error.message}; tried again at ")
    assert row.next_due < datetime.now(UTC) + timedelta(minutes=2)
    assert len(scheduler.claim_due(row.next_due)) == 1


@pytest.mark.parametrize("error", [DeviceFullError("full"), UsageError("no such source")])
def test_a_run_whose_trouble_stays_waits_for_its_next_time(
    holder: LockHolder, location: str, error: SegfleetError
) -> None:
    scheduler = Scheduler(holder)
    due = reserved(holder.catalog, "home").next_due
    make_due(location)
    [claimed] = scheduler.claim_due(datetime.now(UTC))

    run_reservation(claimed, scheduler, Absent(error))

    [row] = holder.catalog.reservations.all()
    assert (row.last_outcome, row.last_message, row.next_due) == ("failed", error.message, due)


def test_the_pauses_between_tries_grow_and_end_with_the_next_time(holder: LockHolder) -> None:
    scheduler = Scheduler(holder)
    row = reserved(holder.catalog, "home")
    regular, now, pauses = row.next_due + timedelta(days=1), row.next_due, list[int]()

    while now < regular:
        [claimed] = scheduler.claim_due(now)
        scheduler.failed(claimed, "no agent", now, may_pass=True)
        [row] = holder.catalog.reservations.all()
        pauses.append(int((row.next_due - now).total_seconds()) // 60)
        now = row.next_due

    assert pauses[:6] == [1, 2, 4, 8, 15, 15]
    assert max(pauses) == 15
    assert now == regular
