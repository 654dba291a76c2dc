"""What sealed snapshots lack while devices are away, as backups, checks and repairs have found it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.holders import lacking, ranges_of
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow
from producer.listing.places.stored_ranges import united, without
from producer.pool.losses.at_risk import files_at_risk
from producer.pool.losses.keepers import Keepers, LostWith
from producer.pool.parity.group_reads import GroupReads
from tasks.errors import CatalogError, DamagedError

_AWAY = ("dead", "absent", "suspect")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def refresh_away(catalog: Catalog, pool_id: str) -> None:
    """Record in each sealed snapshot of the pool what it lacks of the devices that are away now.

    Reads no tree where these hold nothing that others lack.  Idempotent.
    """
    _refresh(catalog, pool_id, _away(catalog, pool_id))


def refresh_gone(catalog: Catalog, sealed: SnapshotRow) -> None:
    """As :func:`refresh_away`, if a device has gone since the last snapshot of the pool was sealed before this one.

    ``sealed`` knows by its own backup what it lacks.
    """
    away = _away(catalog, sealed.pool_id)
    if not away:
        return
    others = [row for row in catalog.snapshots.all() if row.pool_id == sealed.pool_id]
    before = [row.sealed_at for row in others if row.sealed_at is not None and row.snapshot_id != sealed.snapshot_id]
    if any(row.since > max(before, default=_LONG_AGO) for row in away.values()):
        _refresh(catalog, sealed.pool_id, away, but=sealed.snapshot_id)


def _away(catalog: Catalog, pool_id: str) -> dict[str, DeviceRow]:
    return {row.device_id: row for row in catalog.devices.all(pool_id) if row.state in _AWAY}


def _refresh(catalog: Catalog, pool_id: str, away: Mapping[str, DeviceRow], *, but: str = "") -> None:
    if not away:
        return
    keepers = _out_of_reach(catalog, away.keys())
    changed: dict[str, tuple[LackRow, ...]] = {}
    for snapshot in catalog.snapshots.all():
        if snapshot.pool_id == pool_id and snapshot.snapshot_id != but:
            lacks = _lacks_now(catalog, snapshot, away, keepers)
            if lacks != snapshot.lacks:
                changed[snapshot.snapshot_id] = lacks
    with catalog.transaction():
        for snapshot_id, lacks in changed.items():
            catalog.snapshots.set_lacks(snapshot_id, lacks)


def _out_of_reach(catalog: Catalog, away: Collection[str]) -> Keepers:
    """The segments of which something is only on devices that are away, each with those that have it."""
    there = {row.device_id for row in catalog.devices.all() if row.state not in (*_AWAY, "lost")}
    groups = GroupReads(catalog)

    def is_gone(one: StoredObject) -> bool:
        return one.device_id not in there and not groups.can_read(one, there)

    index = catalog.objects.of({one.segment_id for key in sorted(away) for one in catalog.objects.on_device(key)})
    return {key: _only_on(index[key], away, is_gone) for key in lacking(index, is_gone)}


def _only_on(
    objects: Sequence[StoredObject], away: Collection[str], is_gone: Callable[[StoredObject], bool]
) -> LostWith:
    """What of a segment comes back with each device; what several have counts for the first."""
    gone = [one for one in objects if one.device_id in away and is_gone(one)]
    if len(gone) == len(objects) and len({one.object_id for one in objects}) == 1:
        return {gone[0].device_id: None}
    held, found = ranges_of(one for one in objects if not is_gone(one)), dict[str, list[tuple[int, int]]]()
    for one in gone:
        if ranges := without(one.ranges, held):
            found[one.device_id] = united([*found.get(one.device_id, ()), *ranges])
            held = united([*held, *ranges])
    return found


def _lacks_now(
    catalog: Catalog, snapshot: SnapshotRow, away: Mapping[str, DeviceRow], keepers: Keepers
) -> tuple[LackRow, ...]:
    try:
        found = files_at_risk(catalog.trees.of(snapshot.snapshot_id), keepers)
    except (CatalogError, DamagedError):
        # Checks and restores report a tree that cannot be read; nothing is known about its files.
        return snapshot.lacks
    before = {lack.device_id: lack for lack in snapshot.lacks}
    nothing = {
        key: LackRow(device_id=key, device=away[key].name, files_count=0, size_bytes=0) for key in found.keys() - before
    }
    lacks = (_counted(lack, found) if key in away else lack for key, lack in (before | nothing).items())
    return tuple(lack for lack in lacks if lack.files_count or lack.damaged_files_count)


def _counted(lack: LackRow, found: Mapping[str, tuple[int, int]]) -> LackRow:
    files_count, size_bytes = found.get(lack.device_id, (0, 0))
    return replace(
        lack,
        files_count=files_count + lack.omitted_files_count,
        size_bytes=size_bytes + lack.omitted_bytes,
    )
