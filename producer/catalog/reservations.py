"""The schedule's rows.  Every change of a due time is a compare-and-set: of two managers, one wins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, delete, insert, select, update

from producer.catalog.database import Database
from producer.catalog.reservation_rows import Outcome, ReservationRow
from producer.catalog.schema import reservations


class Reservations(Database):
    def add_reservation(self, row: ReservationRow) -> None:
        self._write(insert(reservations).values(**asdict(row)))

    def remove_reservation(self, reservation_id: str) -> bool:
        """False: it was not there (any more)."""
        return self._write(delete(reservations).where(reservations.c.reservation_id == reservation_id)) == 1

    def reservations(self) -> list[ReservationRow]:
        """All of them, the one that is due first in front."""
        return self._reservation_rows(select(reservations))

    def due_reservations(self, now: datetime) -> list[ReservationRow]:
        """Those that are due at ``now``, the oldest due time first."""
        return self._reservation_rows(select(reservations).where(reservations.c.next_due <= now))

    def claimed_reservations(self) -> list[ReservationRow]:
        """Those that somebody has claimed and not ended yet."""
        return self._reservation_rows(select(reservations).where(reservations.c.last_outcome == "running"))

    def claim_reservation(self, row: ReservationRow, next_due: datetime, owner: str) -> bool:
        """Take the run that is due: the caller, and nobody else, is to start it.

        False, and nothing changed, when somebody else has taken it, or another run of the volume is claimed.
        """
        with self.transaction():
            # PostgreSQL: whoever claims another reservation of the volume waits here.  SQLite has one writer anyway.
            # In the order of what never changes: two that lock the rows in different orders would wait for each other.
            locked = select(reservations.c.last_outcome).where(reservations.c.volume == row.volume)
            outcomes = self._read(locked.order_by(reservations.c.reservation_id).with_for_update())
            if any(other.last_outcome == "running" for other in outcomes):
                return False
            return self._set(
                row, next_due=next_due, last_outcome="running", last_message="", last_ended_at=None, owner=owner
            )

    def pass_over_reservation(self, row: ReservationRow, next_due: datetime, outcome: Outcome, message: str) -> bool:
        """Leave out the run that is due; False when somebody else has dealt with it."""
        now = datetime.now(UTC)
        return self._set(row, next_due=next_due, last_outcome=outcome, last_message=message, last_ended_at=now)

    def queue_reservation(self, row: ReservationRow, now: datetime) -> None:
        """Note since when the run that is due waits; it stays due."""
        self._write(self._if_still_due(row).where(reservations.c.queued_at.is_(None)).values(queued_at=now))

    def end_reservation(self, row: ReservationRow, owner: str, outcome: Outcome, message: str) -> bool:
        """Note how a claimed run ended; False when ``owner`` does not hold it (any more)."""
        return self._release(row, owner, last_outcome=outcome, last_message=message)

    def reopen_reservation(self, row: ReservationRow, due: datetime, owner: str, queued_at: datetime | None) -> bool:
        """Make a claimed run due again, at its own time ``due``; False when ``owner`` does not hold it."""
        return self._release(row, owner, last_outcome="interrupted", next_due=due, queued_at=queued_at)

    def _release(self, row: ReservationRow, owner: str, **values: Any) -> bool:
        held = update(reservations).where(
            reservations.c.reservation_id == row.reservation_id,
            reservations.c.last_outcome == "running",
            reservations.c.owner == owner,
        )
        return self._write(held.values(last_ended_at=datetime.now(UTC), **values)) == 1

    def _set(self, row: ReservationRow, **values: Any) -> bool:
        statement = self._if_still_due(row).values(last_due=row.next_due, queued_at=None, **values)
        return self._write(statement) == 1

    def _if_still_due(self, row: ReservationRow) -> Any:
        return update(reservations).where(
            reservations.c.reservation_id == row.reservation_id, reservations.c.next_due == row.next_due
        )

    def _reservation_rows(self, statement: Select[Any]) -> list[ReservationRow]:
        rows = self._read(statement.order_by(reservations.c.next_due, reservations.c.reservation_id))
        return [ReservationRow(**row._asdict()) for row in rows]
