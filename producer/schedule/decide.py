"""Whether a due reservation runs, waits, or is skipped, and when one that failed is tried again.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from producer.catalog.tables.reservations import ReservationRow

#: A run that has not started by then counts as missed: ``run-due`` may come every five minutes, and a manager may
#: restart, without missing any.
MISSED_AFTER = timedelta(minutes=10)

#: After a failure that may pass by itself: the pause before the next try, doubled each time.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=15)

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


def pause_after_failure(reservation: ReservationRow) -> timedelta:
    """How long to wait before the run is tried again; ``reservation`` as it was before the try that failed.

    Tries after a failure are due at times of their own, so the time between two of them tells how many there were.
    """
    if reservation.last_outcome != "failed" or reservation.last_due is None:
        return FIRST_PAUSE
    since_last_try = reservation.next_due - reservation.last_due
    if not FIRST_PAUSE <= since_last_try < 2 * LONGEST_PAUSE:
        return FIRST_PAUSE
    return min(2 * since_last_try, LONGEST_PAUSE)
