"""Finds the one snapshot that a person means by a name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Select, select

from producer.catalog.schema import snapshots
from producer.catalog.tables.snapshots.names import LIST_HINT, ByTime, parse_name
from producer.catalog.tables.snapshots.reading import COLUMNS, NEWEST_FIRST
from producer.catalog.tables.snapshots.rows import SnapshotRow, SnapshotState
from tasks.errors import UsageError


def find(
    rows: Callable[[Select[Any]], list[SnapshotRow]],
    name: str,
    state: SnapshotState,
    *,
    volume: str,
    pools: Collection[str] | None,
    volumes: Callable[[], set[str]],
) -> SnapshotRow:
    """As :meth:`producer.catalog.tables.snapshots.snapshots.Snapshots.find`, which reads the rows."""
    meant = parse_name(name)
    statement = select(*COLUMNS).where(snapshots.c.state == state).order_by(*NEWEST_FIRST)
    if isinstance(meant, str):
        beginning = snapshots.c.snapshot_id.startswith(meant)
        return _the_one(name, rows(statement.where(beginning).limit(2)), state)
    if pools is not None:
        statement = statement.where(snapshots.c.pool_id.in_(pools))
    meant = replace(meant, volume=meant.volume or volume)
    if not meant.volume:
        _refuse_several(name, sorted(volumes()))
    if meant.volume:
        statement = statement.where(snapshots.c.volume == meant.volume)
    if meant.until is not None:
        statement = statement.where(snapshots.c.started_at < meant.until)
    found = rows(statement.offset(meant.back).limit(1))
    if not found:
        is_first = not (meant.volume or meant.until or meant.back or pools)
        hint = "segfleet backup makes one" if is_first else LIST_HINT
        raise UsageError(_none_of(meant, in_pool=pools is not None), hint=hint)
    return found[0]


def _the_one(name: str, found: Sequence[SnapshotRow], state: SnapshotState) -> SnapshotRow:
    if not found and state == "open":
        raise UsageError(f"no unfinished snapshot begins with {name}", hint="segfleet status shows them")
    if not found:
        raise UsageError(f"no snapshot begins with {name}", hint=LIST_HINT)
    if len(found) > 1:
        raise UsageError(f"several snapshots begin with {name}: give more digits", hint=LIST_HINT)
    return found[0]


def _refuse_several(name: str, volumes: Sequence[str]) -> None:
    if len(volumes) > 1:
        names = ", ".join(f"{volume}@{name}" for volume in volumes[:10])
        raise UsageError(f"{name} of which volume? There are {len(volumes)}", hint=f"name one: {names}")


def _none_of(meant: ByTime, *, in_pool: bool) -> str:
    of_it = (f" of volume {meant.volume}" if meant.volume else "") + (
        " in the pool of these devices" if in_pool else ""
    )
    if meant.until is not None:
        return f"there was no snapshot{of_it} by then"
    return f"there are fewer snapshots{of_it}" if meant.back else f"there is no snapshot{of_it} yet"
