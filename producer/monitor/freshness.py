"""Which volumes have no whole snapshot that is young enough.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from producer.configuration.values.ages import format_age
from producer.monitor.overview import VolumeStatus


def stale(volumes: Iterable[VolumeStatus], max_age: timedelta, now: datetime) -> Iterator[str]:
    """Why each volume is stale, in words; nothing for those whose newest snapshot is whole and young enough."""
    for row in volumes:
        found = why_stale(row, max_age, now)
        if found:
            yield found


def why_stale(row: VolumeStatus, max_age: timedelta, now: datetime) -> str:
    """Counted from the beginning of the backup: what changed later is not in it."""
    if row.good_at is None:
        return f"volume {row.volume} has no snapshot"
    age = now - row.good_at
    if age > max_age:
        limit = format_age(max_age)
        return f"the last good backup of volume {row.volume} is {format_age(age)} old; the limit is {limit}"
    if row.lacking:
        return f"the last snapshot of volume {row.volume} is incomplete"
    return ""
