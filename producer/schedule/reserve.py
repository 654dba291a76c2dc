"""Creates and finds reservations."""

from __future__ import annotations

import platform
import uuid
from datetime import UTC, datetime

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import IfBusy, IfMissed, ReservationRow
from producer.schedule.asked import Asked, called
from producer.schedule.timetable import Timetable
from tasks.errors import UsageError

#: As many digits of an id are shown, and are enough to name it.
ID_DIGITS = 8


def reserve(
    catalog: Catalog,
    volume: str,
    asked: Asked,
    *,
    cron: str,
    timezone: str,
    if_missed: IfMissed,
    if_busy: IfBusy,
    manager: str = "",
) -> ReservationRow:
    """Record a reservation of ``volume``, "" for a check or a prune; ``manager`` does so, "" for none.

    On a shared catalog it belongs to that manager, else to this host, which has the sources.  Raises UsageError for a
    line that never fires, or an unknown time zone.
    """
    now = datetime.now(UTC)
    row = ReservationRow(
        reservation_id=uuid.uuid4().hex,
        volume=volume,
        cron=" ".join(cron.split()),
        timezone=timezone,
        if_missed=if_missed,
        if_busy=if_busy,
        request=asked.to_json(),
        created_at=now,
        next_due=Timetable(cron, timezone).next_after(now),
        manager=manager if catalog.is_shared else "",
        host=platform.node() if catalog.is_shared and not manager else "",
    )
    catalog.reservations.add(row)
    return row


def find_reservations(catalog: Catalog, name: str) -> list[ReservationRow]:
    """All reservations of the volume ``name``, else those of checks or prunes that are called so, else the one whose id
    begins with it; raises UsageError for none.
    """
    rows = catalog.reservations.all()
    found = [row for row in rows if row.volume == name] or [
        row for row in rows if not row.volume and called(row) == name
    ]
    if not found and len(name) >= ID_DIGITS:
        found = [row for row in rows if row.reservation_id.startswith(name.lower())]
    if not found:
        known = ", ".join(f"{called(row)} ({row.reservation_id[:ID_DIGITS]})" for row in rows) or "none"
        raise UsageError(f"{name} has no schedule", hint=f"scheduled: {known}")
    return found
