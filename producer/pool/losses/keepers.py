"""Without which devices segments, or ranges of them, cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import bytes_in, shared, united, without
from producer.pool.parity.group_reads import GroupReads

#: Device → the ranges of a segment's stream that are lost with it; None: all that is there.
LostWith = Mapping[str, Sequence[tuple[int, int]] | None]

#: Segment → the devices without which it cannot be read: one that alone holds it, or all that its parity needs.
Keepers = Mapping[str, LostWith]


def find_keepers(
    catalog: Catalog, objects: Iterable[StoredObject], several: Mapping[str, Sequence[StoredObject]]
) -> Keepers:
    """Of the segments that the loss of one device would take; what is lost already is not among them.

    ``several``: the objects of segments that have more than one besides copies, each of which may hold other ranges.
    """
    there = frozenset(device.device_id for device in catalog.devices.all() if device.state != "lost")
    groups, found = GroupReads(catalog), dict[str, frozenset[str]]()
    for one in objects:
        if one.segment_id in several:
            continue
        if one.device_id in there and not one.is_damaged:
            found[one.segment_id] = found.get(one.segment_id, there) & {one.device_id}
        # What is on a lost device, or damaged, may come from parity too: then each device counts that this needs.
        keepers = found.get(one.segment_id, there)
        if keepers and groups and groups.can_read(one, there):
            needed = (key for key in keepers if not groups.can_read(one, there - {key}))
            found[one.segment_id] = frozenset(needed)
    lost: dict[str, LostWith] = {key: dict.fromkeys(keepers) for key, keepers in found.items() if keepers}
    for segment_id, mine in several.items():
        if of_ranges := _of_ranges(mine, there, groups):
            lost[segment_id] = of_ranges
    return lost


def _of_ranges(objects: Sequence[StoredObject], there: frozenset[str], groups: GroupReads) -> LostWith:
    """Of one segment: each range is lost with the device that alone holds it, or that its parity needs."""

    def held(ids: frozenset[str]) -> list[tuple[int, int]]:
        found = (one for one in objects if (one.device_id in ids and not one.is_damaged) or groups.can_read(one, ids))
        return united(chain.from_iterable(one.ranges for one in found))

    now = held(there)
    devices = there if groups else there.intersection(one.device_id for one in objects)
    return {key: lost for key in sorted(devices) if (lost := without(now, held(there - {key})))}


def has_ranges(lost_with: LostWith) -> bool:
    """Whether some device takes only a part with it."""
    return any(ranges is not None for ranges in lost_with.values())


def lost_bytes_of(ranges: Sequence[tuple[int, int]] | None, offset_bytes: int, size_bytes: int) -> int:
    """How much of a place lies in the ranges."""
    return size_bytes if ranges is None else bytes_in(shared([(offset_bytes, size_bytes)], ranges))
