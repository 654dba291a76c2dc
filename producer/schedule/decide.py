"""Whether a due reservation runs, waits, or is skipped.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from producer.catalog.tables.reservations import ReservationRow

#: A run that has not started by then counts as missed: ``run-due`` may come every five minutes, and a manager may
#: restart, without missing any.
MISSED_AFTER = timedelta(minutes=10)

Decision = Literal["run", "wait", "miss", "skip"]


def decide(reservation: ReservationRow, now: datetime, *, busy: bool) -> Decision:
    """``busy``: a backup of the volume is under way.

    - run: claim it, and start it
    - wait: it stays due, until the volume is free; however many due times pass meanwhile, one run follows
    - miss, skip: this run does not take place
    """
    # A run that waits for its volume is not missed.
    unseen = reservation.queued_at is None and now - reservation.next_due > MISSED_AFTER
    if unseen and reservation.if_missed == "skip":
        return "miss"
    if busy:
        return "wait" if reservation.if_busy == "queue" else "skip"
    return "run"
