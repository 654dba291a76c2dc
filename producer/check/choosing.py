"""Which stored objects a check looks at, and in which order.  Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from producer.catalog.tables.objects import StoredObject
from producer.requests import CheckRequest

_NEVER = datetime.min.replace(tzinfo=UTC)


def verified_at(row: StoredObject, *, read_data: bool) -> datetime | None:
    """When a check as thorough as this one last looked at the object."""
    return row.read_at if read_data else row.looked_at


def due(rows: Iterable[StoredObject], since: datetime | None, *, read_data: bool) -> list[StoredObject]:
    """The objects that no check has looked at since ``since``, and the damaged ones; all of them if it is None."""
    return [
        row
        for row in rows
        if since is None or row.is_damaged or (verified_at(row, read_data=read_data) or _NEVER) < since
    ]


def subset(rows: Sequence[StoredObject], request: CheckRequest) -> list[StoredObject]:
    """The objects that the request wants: part n of t, or a share or size of what was read longest ago.

    A share or a size selects at least one object.
    """
    if request.subset is not None:
        part, parts = request.subset
        return list(rows)[part - 1 :: parts]
    if request.share is None and request.size_bytes is None:
        return list(rows)
    oldest_first = sorted(random.sample(rows, len(rows)), key=lambda row: row.read_at or _NEVER)
    if request.share is not None:
        return oldest_first[: max(1, round(len(rows) * request.share))]
    chosen, left_bytes = list[StoredObject](), request.size_bytes or 0
    for row in oldest_first:
        if left_bytes <= 0:
            break
        chosen.append(row)
        left_bytes -= row.bytes_stored
    return chosen


def on_disk_order(rows: Iterable[StoredObject], positions: Mapping[str, int]) -> list[StoredObject]:
    """``positions``: object → where it lies on its device; objects without a position come first."""
    return sorted(rows, key=lambda row: (positions.get(row.object_id, -1), row.object_id))
