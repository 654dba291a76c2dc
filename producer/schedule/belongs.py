"""Which manager or host a reservation belongs to: on a shared catalog not every host has its sources."""

from __future__ import annotations

import platform

from producer.catalog.tables.reservations import ReservationRow


def belongs_here(row: ReservationRow, *, manager: str) -> bool:
    """Whether this process may run it: for its manager, if it names one, and on its host, if it names one.

    ``manager`` is the manager that started this process, "" for none.
    """
    return row.manager in ("", manager) and row.host in ("", platform.node())
