"""What a repack is to do, from the catalog and the devices as they are now; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.unused import Unused
from producer.pool.copies import CopyTarget
from producer.requests import RepackLimits
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.repacking.candidates import busy_segments, find_candidates
from producer.retention.pruning.repacking.selection import Repack, Selection, place, select
from tasks.values import MAX_DEVICE_BYTES


def selected(
    catalog: Catalog, unused: Unused, devices: Sequence[PrunedDevice], limits: RepackLimits, *, leaving: str = ""
) -> Selection:
    """What is to be repacked on these devices, which are of one pool; ``leaving``: of what this one holds alone."""
    ids = {device.device_id for device in devices}
    candidates, bytes_stored = find_candidates(catalog, unused, ids, busy_segments(catalog))
    if leaving:
        # What shares parity is copied as it is: its groups need it until they are formed anew on the others.
        here = (one for one in candidates if not one.has_parity)
        candidates = [one for one in here if any(copy.device_id == leaving for copy in one.copies)]
    return select(candidates, bytes_stored=bytes_stored, limits=limits)


def by_pool(devices: Iterable[PrunedDevice]) -> list[list[PrunedDevice]]:
    """The devices of each pool."""
    found: dict[str, list[PrunedDevice]] = {}
    for device in devices:
        found.setdefault(device.row.pool_id, []).append(device)
    return list(found.values())


def preview_repack(
    catalog: Catalog, unused: Unused, devices: Iterable[PrunedDevice], limits: RepackLimits
) -> tuple[list[Repack], int]:
    """What would be repacked, and what would stay unused, as if each device had room for all."""
    repacks, bytes_unused = list[Repack](), 0
    for of_pool in by_pool(devices):
        selection = selected(catalog, unused, of_pool, limits)
        targets = [replace(target, room_bytes=MAX_DEVICE_BYTES) for target in targets_of(catalog, of_pool)]
        sites = {device.device_id: device.row.site for device in of_pool}
        repacks += place(selection.chosen, targets, sites=sites, batch_bytes=MAX_DEVICE_BYTES)
        bytes_unused += selection.bytes_unused
    return repacks, bytes_unused


def targets_of(catalog: Catalog, devices: Sequence[PrunedDevice]) -> list[CopyTarget]:
    """The devices as they are now, each loaded with all that is stored there."""
    return [
        CopyTarget(
            name=device.name,
            device_id=device.device_id,
            load_bytes=catalog.objects.bytes_on(device.device_id),
            room_bytes=device.room_bytes,
            site=device.row.site,
            spare_bytes=device.spare_bytes,
        )
        for device in devices
    ]
