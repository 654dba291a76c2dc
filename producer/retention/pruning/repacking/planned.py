"""What a repack is to do, from the catalog and the devices as they are now; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from producer.catalog.catalog import Catalog
from producer.catalog.tables.parity import ParityGroup
from producer.catalog.unused import Unused
from producer.pool.copies import CopyTarget
from producer.requests import RepackLimits
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.repacking.candidates import busy_segments, find_candidates
from producer.retention.pruning.repacking.selection import Selection, select


def selected(
    catalog: Catalog,
    unused: Unused,
    groups: Sequence[ParityGroup],
    devices: Sequence[PrunedDevice],
    limits: RepackLimits,
    *,
    leaving: str = "",
) -> Selection:
    """What is to be repacked on these devices, which are of one pool; ``leaving``: of what this one holds alone.

    ``groups``: of parity, all.
    """
    ids = {device.device_id for device in devices}
    candidates, bytes_stored = find_candidates(catalog, unused, groups, ids, busy_segments(catalog))
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
