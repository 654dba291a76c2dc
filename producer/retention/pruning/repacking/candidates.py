"""The objects of which some is dead, as the catalog knows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.catalog.unused import Unused
from producer.ownership.readers import read_snapshots
from producer.pool.parity.grouping import holders_of_objects
from producer.pool.parity.planning import living_members
from producer.retention.pruning.repacking.selection import Candidate
from tasks.values import MAX_EXTENTS

_AWAY = "a member of its parity is damaged, or on a device that is away, or on which nothing is deleted"
_FEW = "too few devices are there for the parity that it shares"


def find_candidates(
    catalog: Catalog,
    unused: Unused,
    groups: Sequence[ParityGroup],
    device_ids: Collection[str],
    busy: Collection[str],
) -> tuple[list[Candidate], int]:
    """Those of which all copies lie on these devices, and the stored bytes of all objects that are needed there.

    What has a copy elsewhere waits for that device.  ``groups``: of parity, all.  ``busy``: segments that
    somebody counts on as they are now.
    """
    found: defaultdict[str, list[StoredObject]] = defaultdict(list)
    bytes_stored = 0
    for device_id in sorted(device_ids):
        for one in catalog.objects.on_device(device_id):
            if one.segment_id in unused.needed.segment_ids:
                bytes_stored += one.bytes_stored
                if unused.bytes_of(one):
                    found[one.object_id].append(one)
    lost = {device.device_id for device in catalog.devices.all() if device.state == "lost"}
    index = catalog.objects.of({objects[0].segment_id for objects in found.values()})
    there = {key: [one for one in objects if one.device_id not in lost] for key, objects in index.items()}
    copies = _copies(found, there.values())
    of_parity = _why_parity_stays(catalog, unused, groups, device_ids)
    return [
        Candidate(
            copies=tuple(copies[object_id]),
            living=tuple(unused.living_of(objects[0])),
            others_on=frozenset(one.device_id for one in there[objects[0].segment_id] if one.object_id != object_id),
            has_parity=object_id in of_parity,
            why_not=_why_not(copies[object_id], unused, device_ids, busy) or of_parity.get(object_id, ""),
        )
        for object_id, objects in found.items()
    ], bytes_stored


def busy_segments(catalog: Catalog) -> set[str]:
    """What is needed by snapshots that somebody reads now, and by those that open ones are compared with.

    A reader has found out which objects to read; so has a backup of what it does not store again.
    """
    opened = catalog.snapshots.all("open")
    ids = read_snapshots(catalog) | {row.parent_id for row in opened if row.parent_id}
    parts = {digest for snapshot_id in ids for digest in catalog.trees.digests(snapshot_id)}
    found = {segment_id for digest in parts for segment_id in catalog.trees.needs(digest).segment_ids}
    return found | catalog.garbage.healed_by_open()


def _copies(
    found: Collection[str], objects_of_segments: Iterable[Iterable[StoredObject]]
) -> dict[str, list[StoredObject]]:
    """Object → its copies on all devices that are not lost, those without damage first."""
    copies: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for one in chain.from_iterable(objects_of_segments):
        if one.object_id in found:
            copies[one.object_id].append(one)
    return copies


def _why_parity_stays(
    catalog: Catalog, unused: Unused, groups: Sequence[ParityGroup], device_ids: Collection[str]
) -> dict[str, str]:
    """Object that shares parity → why its groups cannot be written again; "" if they can."""
    living = living_members(catalog, groups, unused.needed.referred)
    there = holders_of_objects(chain.from_iterable(living.values()), device_ids)
    found: dict[str, str] = {}
    for group in groups:
        needed = [one.object_id for one in group.members if one.object_id in living]
        why = "" if all(one in there for one in needed) else _AWAY
        why = why or ("" if len(needed) + len(group.rows) <= len(device_ids) else _FEW)
        for one in group.members:
            found[one.object_id] = found.get(one.object_id) or why
    return found


def _why_not(copies: list[StoredObject], unused: Unused, device_ids: Collection[str], busy: Collection[str]) -> str:
    """Objects that must stay as they are are excluded here."""
    first = copies[0]
    if any(one.device_id not in device_ids for one in copies):
        return "a copy of it lies on a device that is away, or on which nothing is deleted"
    if not all(map(unused.may_go, copies)):
        return "an unfinished backup has copied it"
    if first.segment_id in busy:
        return "a snapshot that is read, or that a backup is compared with, needs it"
    if first.is_damaged:
        return "it is damaged"
    return "it is in too many pieces" if len(unused.living_of(first)) > MAX_EXTENTS // 2 else ""
