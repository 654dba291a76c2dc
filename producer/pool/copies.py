"""Which objects are copied to which devices, so that each segment lies on as many as was asked for.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import united, without
from tasks.groups import GroupAt


class CopyTarget(Struct, kw_only=True):
    """A device that can take copies.  ``load_bytes`` and ``room_bytes`` change as copies are given to it."""

    name: str
    device_id: str
    load_bytes: int
    room_bytes: int
    site: str = ""
    #: Of its reserve: for what replaces something larger on the same device.
    spare_bytes: int = 0


class Copying(Struct, frozen=True, kw_only=True):
    """One copy to make: from where ``object`` lies to ``target``."""

    object: StoredObject
    target: CopyTarget
    #: Made from its group instead.
    group: GroupAt | None = None


class CopyPlan(Struct, kw_only=True):
    copyings: list[Copying] = field(default_factory=list)
    #: Copies that no device can take, or that nothing is there to be made from; and how many are of the second kind.
    missing_count: int = 0
    without_origin_count: int = 0

    @property
    def why_missing(self) -> list[str]:
        """In words for people."""
        found = []
        if self.without_origin_count:
            found.append(f"no sound copy is left to make {self.without_origin_count} of them from")
        if self.missing_count > self.without_origin_count:
            found.append("no other available device has room")
        return found


def plan_copies(
    index: Mapping[str, Sequence[StoredObject]],
    targets: Sequence[CopyTarget],
    *,
    copies: int,
    holding: Collection[str],
    readable: Collection[str],
    sites: Mapping[str, str],
    settled: Collection[tuple[str, str]] = (),
) -> CopyPlan:
    """Each range of each segment on ``copies`` devices; the largest objects first, each on the least-filled target.

    ``holding``: ids of the devices whose objects count, also of those that are away and expected back; ``readable``: of
    those that can be copied from.  ``sites``: device id → where it stands.  A target at a site that has no copy of the
    object yet goes before others.  ``settled``: (segment, device id) where all that can be there is there.
    """
    plan = CopyPlan()
    groups = [group for objects in index.values() for group in _alike(objects)]
    for group in sorted(groups, key=lambda group: (-group[0].bytes_stored, group[0].object_id)):
        segment_id = group[0].segment_id
        kept = [one for one in index[segment_id] if one.device_id in holding and not one.is_damaged]
        origin = next((one for one in group if one.device_id in readable and not one.is_damaged), None)
        holders = _holders(group[0], kept) | {key for key in holding if (segment_id, key) in settled}
        # A device that has a part of it already gets the rest.
        partly = {one.device_id for one in kept} - holders
        while len(holders) < copies:
            size_bytes, taken_sites = group[0].bytes_stored, {sites.get(key, "") for key in holders}
            target = least_filled([one for one in targets if one.device_id in partly], size_bytes, holders, taken_sites)
            target = target or least_filled(targets, size_bytes, holders, taken_sites)
            if origin is None or target is None:
                plan.missing_count += copies - len(holders)
                plan.without_origin_count += copies - len(holders) if origin is None else 0
                break
            target.load_bytes += origin.bytes_stored
            target.room_bytes -= origin.bytes_stored
            holders.add(target.device_id)
            plan.copyings.append(Copying(object=origin, target=target))
    return plan


def copies_to_make_again(index: Mapping[str, Sequence[StoredObject]], names: Mapping[str, str]) -> Iterator[Copying]:
    """From a sound copy to each device where the same object is damaged.

    ``names``: device id → name, of the devices that are there.
    """
    for objects in index.values():
        sound = {one.object_id: one for one in objects if not one.is_damaged and one.device_id in names}
        for one in objects:
            if one.is_damaged and one.device_id in names and one.object_id in sound:
                target = CopyTarget(
                    name=names[one.device_id], device_id=one.device_id, load_bytes=0, room_bytes=one.bytes_stored
                )
                yield Copying(object=sound[one.object_id], target=target)


def _holders(one: StoredObject, kept: Iterable[StoredObject]) -> set[str]:
    """The devices whose objects hold all that this one has of the segment."""
    by_device: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for other in kept:
        by_device[other.device_id] += other.ranges
    return {key for key, ranges in by_device.items() if not without(one.ranges, united(ranges))}


def _alike(objects: Iterable[StoredObject]) -> Iterable[list[StoredObject]]:
    """The objects of a segment by what they hold of it."""
    groups: defaultdict[tuple[tuple[int, int], ...] | None, list[StoredObject]] = defaultdict(list)
    for one in objects:
        groups[one.parts].append(one)
    return groups.values()


def least_filled(
    targets: Sequence[CopyTarget], size_bytes: int, holders: Collection[str], sites: Collection[str]
) -> CopyTarget | None:
    fitting = [one for one in targets if one.device_id not in holders and one.room_bytes >= size_bytes]
    # A device without a configured site may stand anywhere.
    return min(fitting, key=lambda one: (bool(one.site) and one.site in sites, one.load_bytes), default=None)
