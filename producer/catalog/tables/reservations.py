"""The schedule.  Every change of a due time is a compare-and-set: of two managers, one wins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Select, delete, insert, select, update

from producer.catalog.columns import JsonObject
from producer.catalog.database.database import Database
from producer.catalog.schema import reservations

#: What to do about a run whose time has passed unseen, and about one whose volume is being backed up just then.
IfMissed = Literal["catch-up", "skip"]
IfBusy = Literal["queue", "skip"]
#: How the last due time of a reservation ended; "" before the first.
Outcome = Literal["", "running", "done", "partial", "failed", "interrupted", "missed", "skipped"]


class ReservationRow(Struct, frozen=True, kw_only=True):
    """A scheduled backup of a volume."""

    reservation_id: str
    volume: str
    cron: str
    #: IANA name.
    timezone: str
    if_missed: IfMissed
    if_busy: IfBusy
    #: What is to be run (:mod:`producer.schedule.asked`).
    request: JsonObject
    created_at: datetime
    next_due: datetime
    #: Since when the run that is due waits for its volume.
    queued_at: datetime | None = None
    #: The due time that was claimed last, and how it ended.
    last_due: datetime | None = None
    claimed_at: datetime | None = None
    last_ended_at: datetime | None = None
    last_outcome: Outcome = ""
    last_message: str = ""
    #: The id of the OwnerRow that runs it, or ran it last.
    owner: str = ""
    #: Who may run it: this manager, or anybody on this host; "": anybody.
    manager: str = ""
    host: str = ""


class Reservations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: ReservationRow) -> None:
        self._database.write(insert(reservations).values(**asdict(row)))

    def remove(self, reservation_id: str) -> bool:
        """Returns False when it does not exist (any more)."""
        return self._database.write(delete(reservations).where(reservations.c.reservation_id == reservation_id)) == 1

    def add_if_absent(self, row: ReservationRow) -> None:
        self._database.insert_if_absent(reservations, asdict(row))

    def change(self, row: ReservationRow, **values: Any) -> None:
        """Change what a reservation asks for; nothing of how its runs went."""
        same = reservations.c.reservation_id == row.reservation_id
        self._database.write(update(reservations).where(same).values(**values))

    def all(self) -> list[ReservationRow]:
        """All reservations, the one that is due first in front."""
        return self._rows(select(reservations))

    def due(self, now: datetime) -> list[ReservationRow]:
        """Those due at ``now``, the oldest due time first."""
        return self._rows(select(reservations).where(reservations.c.next_due <= now))

    def claimed(self) -> list[ReservationRow]:
        """Those that somebody has claimed and not ended yet."""
        return self._rows(select(reservations).where(reservations.c.last_outcome == "running"))

    def claim(self, row: ReservationRow, next_due: datetime, owner: str) -> bool:
        """Take the run that is due: the caller, and nobody else, starts it.

        False, and nothing changed, when somebody else has taken it, or another run of the volume is claimed.
        """
        with self._database.transaction():
            # PostgreSQL: anyone who claims another reservation of the volume waits here.  SQLite has one writer anyway.
            # In the order of what never changes: two that lock the rows in different orders would wait for each other.
            locked = select(reservations.c.last_outcome).where(reservations.c.volume == row.volume)
            outcomes = self._database.read(locked.order_by(reservations.c.reservation_id).with_for_update())
            if any(other.last_outcome == "running" for other in outcomes):
                return False
            return self._set(
                row,
                next_due=next_due,
                claimed_at=datetime.now(UTC),
                last_outcome="running",
                last_message="",
                last_ended_at=None,
                owner=owner,
            )

    def pass_over(self, row: ReservationRow, next_due: datetime, outcome: Outcome, message: str) -> bool:
        """Skip the run that is due; False when somebody else has dealt with it."""
        now = datetime.now(UTC)
        return self._set(row, next_due=next_due, last_outcome=outcome, last_message=message, last_ended_at=now)

    def queue(self, row: ReservationRow, now: datetime) -> None:
        """Record since when the run that is due waits; it stays due."""
        self._database.write(self._if_still_due(row).where(reservations.c.queued_at.is_(None)).values(queued_at=now))

    def reschedule(self, row: ReservationRow, next_due: datetime, message: str) -> bool:
        """Move the next due time, and say why; False when somebody else has changed it."""
        return self._database.write(self._if_still_due(row).values(next_due=next_due, last_message=message)) == 1

    def end(
        self, row: ReservationRow, owner: str, outcome: Outcome, message: str, *, next_due: datetime | None = None
    ) -> bool:
        """Record how a claimed run ended; False when ``owner`` does not hold it (any more).

        ``next_due``: earlier than the cron line says.
        """
        earlier = {"next_due": next_due} if next_due is not None else {}
        return self._release(row, owner, last_outcome=outcome, last_message=message, **earlier)

    def reopen(self, row: ReservationRow, due: datetime, owner: str, queued_at: datetime | None) -> bool:
        """Make a claimed run due again, at its own time ``due``; False when ``owner`` does not hold it."""
        return self._release(row, owner, last_outcome="interrupted", next_due=due, queued_at=queued_at)

    def _release(self, row: ReservationRow, owner: str, **values: Any) -> bool:
        held = update(reservations).where(
            reservations.c.reservation_id == row.reservation_id,
            reservations.c.last_outcome == "running",
            reservations.c.owner == owner,
        )
        return self._database.write(held.values(last_ended_at=datetime.now(UTC), **values)) == 1

    def _set(self, row: ReservationRow, **values: Any) -> bool:
        statement = self._if_still_due(row).values(last_due=row.next_due, queued_at=None, **values)
        return self._database.write(statement) == 1

    def _if_still_due(self, row: ReservationRow) -> Any:
        return update(reservations).where(
            reservations.c.reservation_id == row.reservation_id, reservations.c.next_due == row.next_due
        )

    def _rows(self, statement: Select[Any]) -> list[ReservationRow]:
        rows = self._database.read(statement.order_by(reservations.c.next_due, reservations.c.reservation_id))
        return [ReservationRow(**row._asdict()) for row in rows]
