"""Claims the reservations that are due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import Outcome, ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.ownership.verdict import living_locks, living_owners
from producer.schedule.decide import MISSED_AFTER, decide, pause_after_failure
from producer.schedule.timetable import Timetable
from tasks.errors import UsageError

Serves = Callable[[ReservationRow], bool]


def everything(row: ReservationRow) -> bool:
    return True


def _silent(text: str) -> None:
    """Says nothing."""


def has_work(catalog: Catalog, now: datetime, serves: Serves = everything) -> bool:
    """Whether :meth:`Scheduler.claim_due` would do anything.  Cheap; changes nothing."""
    rows = list(filter(serves, catalog.reservations.all()))
    due = (row for row in rows if row.next_due <= now)
    return (
        any(not _waits(catalog, row, now) for row in due)
        or any(_is_too_far_ahead(row, now) for row in rows)
        or bool(_left_behind(catalog))
    )


class Scheduler:
    """Claims and ends runs for one process.  Use it in the thread that opened the catalog.

    Any number of schedulers may share one catalog: each run is claimed by one of them, as its ``holder``.
    """

    def __init__(self, holder: LockHolder, note: Callable[[str], None] = _silent) -> None:
        """``note`` is called with what a person should know."""
        self._note = note
        self._catalog = holder.catalog
        self._owner_id = holder.owner_id

    def claim_due(
        self, now: datetime, *, limit: int | None = None, serves: Serves = everything
    ) -> list[ReservationRow]:
        """The runs to start now, at most ``limit`` and one for each volume.  End each with :meth:`ended`.

        Records missed and skipped runs; runs that wait for their volume stay due.  Looks only at reservations that the
        caller ``serves``.
        """
        self._take_care_of_left_behind()
        self._bring_back(now, serves)
        due = filter(serves, self._catalog.reservations.due(now))
        return list(islice((row for row in due if self._takes(row, now)), limit))

    def ended(self, row: ReservationRow, outcome: Outcome, message: str = "") -> None:
        """Record how a claimed run ended.  Idempotent."""
        self._catalog.reservations.end(row, self._owner_id, outcome, message)

    def failed(self, row: ReservationRow, message: str, now: datetime, *, may_pass: bool) -> None:
        """Record that a claimed run failed; one whose trouble ``may_pass`` by itself is tried again before long."""
        again = now + pause_after_failure(row)
        if not may_pass or again >= _next_due(row, now):
            self.ended(row, "failed", message)
            return
        text = f"{message}; tried again at {again.astimezone():%Y-%m-%d %H:%M}"
        self._catalog.reservations.end(row, self._owner_id, "failed", text, next_due=again)

    def postpone(self, row: ReservationRow) -> None:
        """Release a claimed run: it is due again, and waits for its volume."""
        # As it was claimed: what is next_due in ``row`` has become the last one in the catalog.
        self._catalog.reservations.reopen(row, row.next_due, self._owner_id, queued_at=row.next_due)

    def give_back(self, row: ReservationRow) -> None:
        """A claimed run whose process must end: treated as if the process had been killed."""
        for claimed in self._claimed(row):
            # As it was claimed, see above.
            self._break_off(claimed, row.next_due, self._owner_id)

    def stopped(self, row: ReservationRow) -> None:
        """A claimed run that a person has stopped: it is over, whatever missed runs become."""
        for claimed in self._claimed(row):
            self._end_as_made(claimed, self._owner_id, "interrupted by Ctrl-C")

    def _claimed(self, row: ReservationRow) -> list[ReservationRow]:
        return [now for now in self._catalog.reservations.claimed() if now.reservation_id == row.reservation_id]

    def _takes(self, row: ReservationRow, now: datetime) -> bool:
        next_due = _next_due(row, now)
        match decide(row, now, busy=_is_busy(self._catalog, row.volume)):
            case "run":
                return self._catalog.reservations.claim(row, next_due, self._owner_id)
            case "wait":
                self._catalog.reservations.queue(row, now)
            case "miss":
                minutes = int(MISSED_AFTER.total_seconds() // 60)
                self._pass_over(row, next_due, "missed", f"nobody started it within {minutes} minutes")
            case "skip":
                self._pass_over(row, next_due, "skipped", "another backup of the volume was under way")
        return False

    def _pass_over(self, row: ReservationRow, next_due: datetime, outcome: Outcome, message: str) -> None:
        self._catalog.reservations.pass_over(row, next_due, outcome, message)

    def _bring_back(self, now: datetime, serves: Serves) -> None:
        """Compute the next times anew that a clock ahead of the time has put where nobody would wait for them."""
        for row in filter(serves, self._catalog.reservations.all()):
            if not _is_too_far_ahead(row, now):
                continue
            text = f"the clock was wrong: the next run was set for {row.next_due.astimezone():%Y-%m-%d %H:%M}"
            if self._catalog.reservations.reschedule(row, _next_due(row, now), text):
                self._note(f"volume {row.volume}: {text}; it is computed again")

    def _take_care_of_left_behind(self) -> None:
        for row in _left_behind(self._catalog):
            self._break_off(row, row.last_due, row.owner)

    def _break_off(self, row: ReservationRow, due: datetime | None, owner: str) -> None:
        """A run whose process is gone: due again if missed runs are caught up with, else over.

        If the process had made the backup and only had to tidy up, the run has ended as the history has it.
        """
        is_made = _ended_run(self._catalog, row, owner) is not None
        if row.if_missed == "catch-up" and due is not None and not is_made:
            self._catalog.reservations.reopen(row, due, owner, queued_at=None)
        else:
            self._end_as_made(row, owner, "its process was ended")

    def _end_as_made(self, row: ReservationRow, owner: str, why_not: str) -> None:
        """Record the end that the history has; ``why_not``: why there is none."""
        run = _ended_run(self._catalog, row, owner)
        if run is None:
            self._catalog.reservations.end(row, owner, "interrupted", why_not)
        else:
            self._catalog.reservations.end(row, owner, "done" if run.exit_code == 0 else "partial", "")


def _ended_run(catalog: Catalog, row: ReservationRow, owner_id: str) -> RunRow | None:
    """The backup that this owner has made for the claimed reservation, if it got that far."""
    run = catalog.runs.newest_of_each_volume("backup").get(row.volume)
    owners = [owner for owner in catalog.owners.all() if owner.owner_id == owner_id]
    if run is None or run.exit_code not in (0, 3):
        return None
    if not any((owner.host, owner.pid) == (run.owner_host, run.owner_pid) for owner in owners):
        return None
    # A process may have made other backups of the volume before it claimed this one.
    return run if row.claimed_at is not None and run.started_at >= row.claimed_at else None


def _is_busy(catalog: Catalog, volume: str) -> bool:
    claimed = any(row.volume == volume for row in catalog.reservations.claimed())
    return claimed or volume_lock(volume) in living_locks(catalog)


def _waits(catalog: Catalog, row: ReservationRow, now: datetime) -> bool:
    """Whether the due run is recorded as waiting, and must go on waiting."""
    return row.queued_at is not None and decide(row, now, busy=_is_busy(catalog, row.volume)) == "wait"


def _next_due(row: ReservationRow, now: datetime) -> datetime:
    try:
        return Timetable(row.cron, row.timezone).next_after(now)
    except UsageError:
        # This host does not know its time zone.  Its run fails and says so, once a day at its own hour.
        return row.next_due + timedelta(days=(now - row.next_due).days + 1)


def _is_too_far_ahead(row: ReservationRow, now: datetime) -> bool:
    """Whether a whole period lies between now and the next due time.

    The one after the next still is in order: the clock may have been set back a little after a run was claimed.
    """
    try:
        timetable = Timetable(row.cron, row.timezone)
    except UsageError:
        return False
    return row.next_due > timetable.next_after(timetable.next_after(now))


def _left_behind(catalog: Catalog) -> list[ReservationRow]:
    """The claimed runs whose owners are gone."""
    claimed = catalog.reservations.claimed()
    living = living_owners(catalog) if claimed else set()
    return [row for row in claimed if row.owner not in living]
