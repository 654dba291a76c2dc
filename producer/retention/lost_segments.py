"""What the newest snapshots need, and neither a device has any more nor parity gives."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.holders import lacking, ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.pool.parity.group_reads import GroupReads
from producer.pool.storing.sources import SourcesToRead
from tasks.errors import CatalogError, DamagedError


class Lost(Struct, frozen=True, kw_only=True):
    """A segment that lacks something: what there still is of it, and of its objects that are gone."""

    held: Sequence[tuple[int, int]]
    gone: Sequence[StoredObject]

    @property
    def stored_bytes(self) -> int:
        return sum({one.object_id: one.bytes_stored for one in self.gone}.values())


def lost_segments(catalog: Catalog, sources: SourcesToRead) -> dict[str, dict[str, Lost]]:
    """Newest snapshot of files → the segments that it needs and that lack something."""
    lost = _lost_segments(catalog)
    if not lost:
        return {}
    trees = {key: _segments_of(catalog, key) for key, of_files in sources.sources.items() if of_files}
    found = {key: {one: lost[one] for one in ids if one in lost} for key, ids in trees.items()}
    return {snapshot_id: of_snapshot for snapshot_id, of_snapshot in found.items() if of_snapshot}


def _segments_of(catalog: Catalog, snapshot_id: str) -> Sequence[str]:
    try:
        return list(catalog.trees.of(snapshot_id).parts_of_segments)
    except (CatalogError, DamagedError):
        # Checks and restores report a tree that cannot be read; nothing is known about its files.
        return ()


def _lost_segments(catalog: Catalog) -> dict[str, Lost]:
    rows, groups = catalog.devices.all(), GroupReads(catalog)
    lost = {row.device_id for row in rows if row.state == "lost"}
    there = {row.device_id for row in rows} - lost
    suspects = {one.segment_id for one in catalog.objects.damaged()}
    suspects.update(one.segment_id for device_id in lost for one in catalog.objects.on_device(device_id))

    def is_gone(one: StoredObject) -> bool:
        return (one.is_damaged or one.device_id in lost) and not groups.can_read(one, there)

    index = catalog.objects.of(suspects) if suspects else {}
    return {
        segment_id: Lost(
            held=ranges_of(one for one in index[segment_id] if not is_gone(one)),
            gone=[one for one in index[segment_id] if is_gone(one)],
        )
        for segment_id in lacking(index, is_gone)
    }
