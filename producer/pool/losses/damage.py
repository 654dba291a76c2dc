"""What sealed snapshots lack because of damage on devices: as checks, repairs and backups have found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.holders import ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow
from producer.catalog.tree import Tree
from producer.listing.places.stored_ranges import united, without
from producer.pool.parity.group_reads import GroupReads
from tasks.errors import CatalogError, DamagedError


class _Found(Struct):
    """What one device had of a snapshot."""

    device: str
    files: set[int] = field(default_factory=set)
    size_bytes: int = 0


class _Hole(Struct, frozen=True, kw_only=True):
    """A range of a segment that only a damaged object of this device has."""

    device_id: str
    device: str
    offset_bytes: int
    size_bytes: int


def refresh_damage(catalog: Catalog) -> None:
    """Record in each sealed snapshot which files need what is damaged now, and in which none are any more.

    Of an object counts what a check has found damaged, as the check counts it.  Reads no tree where nothing is damaged
    and nothing was.  Idempotent.
    """
    holes = _holes(catalog)
    changed: dict[str, tuple[LackRow, ...]] = {}
    for snapshot in catalog.snapshots.all():
        if holes or any(lack.damaged_since for lack in snapshot.lacks):
            lacks = _lacks_now(catalog, snapshot, holes)
            if lacks != snapshot.lacks:
                changed[snapshot.snapshot_id] = lacks
    with catalog.transaction():
        for snapshot_id, lacks in changed.items():
            catalog.snapshots.set_lacks(snapshot_id, lacks)


def _holes(catalog: Catalog) -> dict[str, list[_Hole]]:
    """Segment → what of it is in damaged objects alone.  What lost devices held is not damage."""
    lost = {device.device_id for device in catalog.devices.all() if device.state == "lost"}
    damaged = {one.segment_id for one in catalog.objects.damaged() if one.device_id not in lost}
    index = catalog.objects.of(damaged) if damaged else {}
    there = {device.device_id for device in catalog.devices.all()} - lost
    groups = GroupReads(catalog)

    def is_kept(one: StoredObject) -> bool:
        """What is damaged and can be made by parity is not lacking."""
        return one.device_id not in lost and not (one.is_damaged and groups.can_read(one, there))

    holes = {segment_id: list(_holes_of(list(filter(is_kept, objects)))) for segment_id, objects in index.items()}
    return {segment_id: found for segment_id, found in holes.items() if found}


def _holes_of(objects: Sequence[StoredObject]) -> Iterator[_Hole]:
    held = united([*ranges_of(one for one in objects if not one.is_damaged), *chain.from_iterable(map(_left, objects))])
    for one in objects:
        if one.is_damaged:
            ranges = without(one.ranges, held)
            for offset_bytes, size_bytes in ranges:
                yield _Hole(
                    device_id=one.device_id, device=one.device, offset_bytes=offset_bytes, size_bytes=size_bytes
                )
            # A second damaged copy of the same bytes adds nothing.
            held = sorted([*held, *ranges])


def _left(one: StoredObject) -> list[tuple[int, int]]:
    """What a damaged object still has of its segment, as far as anybody knows."""
    return without(one.ranges, one.damaged_ranges) if one.is_damaged and one.damaged_ranges is not None else []


def _in_tree(tree: Tree, holes: Mapping[str, Sequence[_Hole]]) -> dict[str, _Found]:
    """Device → which files of a snapshot need what it has damaged."""
    found: dict[str, _Found] = {}
    for batch, at, place in tree.files_in(holes):
        for hole in holes[place.segment_id]:
            start = max(hole.offset_bytes, place.stream_offset_bytes)
            stop = min(hole.offset_bytes + hole.size_bytes, place.stream_offset_bytes + place.size_bytes)
            if start < stop:
                one = found.setdefault(hole.device_id, _Found(device=hole.device))
                one.files.add(batch.first_entry + at)
                one.size_bytes += stop - start
    return found


def _lacks_now(catalog: Catalog, snapshot: SnapshotRow, holes: Mapping[str, Sequence[_Hole]]) -> tuple[LackRow, ...]:
    try:
        found = _in_tree(catalog.trees.of(snapshot.snapshot_id), holes) if holes else {}
    except (CatalogError, DamagedError):
        # Its tree cannot be read: checks and restores report that, and nothing is known about its files.
        return snapshot.lacks
    before = {lack.device_id: lack for lack in snapshot.lacks}
    nothing = {
        key: LackRow(device_id=key, device=one.device, files_count=0, size_bytes=0) for key, one in found.items()
    }
    lacks = (_with_damage(lack, found.get(device_id)) for device_id, lack in (nothing | before).items())
    return tuple(lack for lack in lacks if lack.files_count or lack.damaged_files_count)


def _with_damage(lack: LackRow, found: _Found | None) -> LackRow:
    if found is None:
        return replace(lack, damaged_files_count=0, damaged_bytes=0, damaged_since="")
    return replace(
        lack,
        damaged_files_count=len(found.files),
        damaged_bytes=found.size_bytes,
        damaged_since=lack.damaged_since or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
