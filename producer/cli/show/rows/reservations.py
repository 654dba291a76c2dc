"""Reservations as ``schedule list`` and ``status`` show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339, with_age

if TYPE_CHECKING:
    from producer.catalog.tables.reservations import ReservationRow
    from producer.cli.show.json_types.lists import ReservationJson

_HEADER = ("id", "volume", "cron", "zone", "next", "last", "outcome", "run by", "why")
_SELDOM = ("run by", "zone", "last", "id", "cron")


def reservation_lines(rows: Sequence[ReservationRow], width: int | None) -> Iterator[str]:
    return lines_of(_HEADER, [_cells(row) for row in rows], right="=", seldom=_SELDOM, width=width)


def _cells(row: ReservationRow) -> tuple[str, ...]:
    return (
        row.reservation_id[:8],
        row.volume or f"({row.request.get('kind', '')})",
        row.cron,
        row.timezone,
        with_age(row.next_due) if row.queued_at is None else "queued",
        with_age(row.last_due) if row.last_due is not None else "",
        row.last_outcome,
        row.manager or row.host,
        escaped(row.last_message),
    )


def reservation_json(row: ReservationRow) -> ReservationJson:
    return {
        "reservation_id": row.reservation_id,
        "volume": row.volume,
        "kind": row.request.get("kind", "backup"),
        "schedule": row.request.get("schedule", ""),
        "cron": row.cron,
        "timezone": row.timezone,
        "if_missed": row.if_missed,
        "if_busy": row.if_busy,
        "next_due": rfc3339(row.next_due),
        "queued": rfc3339(row.queued_at) if row.queued_at is not None else None,
        "last_due": rfc3339(row.last_due) if row.last_due is not None else None,
        "last_ended": rfc3339(row.last_ended_at) if row.last_ended_at is not None else None,
        "last_outcome": row.last_outcome,
        "last_message": row.last_message,
        "manager": row.manager,
        "host": row.host,
    }
