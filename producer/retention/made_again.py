"""What a lost device held, or nobody has any more, made again: from copies, from parity, and from the sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from producer.catalog.catalog import Catalog
from producer.catalog.holders import lacking
from producer.catalog.needed import NeededFinder
from producer.catalog.tables.objects import StoredObject
from producer.pool.copies import Copying, CopyTarget
from producer.pool.losses.lost import refresh_lacks
from producer.pool.parity.group_reads import GroupReads
from producer.pool.storing.made_again import MadeAgain
from producer.pool.storing.sources import SourcesToRead
from producer.retention.copied_again import copy_again, lacks_copies
from producer.retention.healed_again import heal
from producer.retention.heir_copies import copy_with_heir
from producer.retention.lost_segments import lost_segments
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.meeting import Meeting, meet
from producer.retention.pruning.members import target_of
from producer.retention.pruning.prune import PRUNE
from producer.run.session import RunSession


def lost_objects(catalog: Catalog) -> list[StoredObject]:
    """The objects on lost devices that snapshots need, whose content no other device has, and that have parity."""
    groups = GroupReads(catalog)
    if not groups:
        return []
    rows = catalog.devices.all()
    lost = {row.device_id for row in rows if row.state == "lost"}
    there = {row.device_id for row in rows} - lost
    found = [one for device_id in sorted(lost) for one in catalog.objects.on_device(device_id)]
    referred = NeededFinder(catalog).find().referred if found else frozenset()
    index = catalog.objects.of(dict.fromkeys(one.segment_id for one in found if one.segment_id in referred))
    gone = lacking(index, lambda one: one.device_id in lost or one.is_damaged)
    objects = {one.object_id: one for one in found if one.segment_id in gone and groups.can_read(one, there)}
    return list(objects.values())


def make_lost_again(session: RunSession, sources: SourcesToRead) -> MadeAgain:
    """Make them from parity on the least-filled devices, and the copies that something lacks.

    First, what neither gives is stored again from these ``sources``, where files still have it.  What parity all of
    them lack then is left to others.

    Idempotent.  What fails is said in the result.  Takes the lock of prunes, if there is anything to do.  Raises
    LockedError beside a prune, what :func:`meet` raises, and InterruptedRun.
    """
    objects = lost_objects(session.catalog)
    if not objects and not lacks_copies(session.catalog) and not lost_segments(session.catalog, sources):
        return MadeAgain()
    assert session.holder is not None
    with session.holder.holding(PRUNE, purpose="repair"):
        return _make(session, sources, objects)


def _make(session: RunSession, sources: SourcesToRead, objects: Sequence[StoredObject]) -> MadeAgain:
    catalog, meeting = session.catalog, meet(session)
    stored, made = list[StoredObject](), list[StoredObject]()
    healed = heal(session, meeting, sources, stored)
    _count(meeting, stored)
    failures = healed.failures | copy_again(session, meeting, made)
    _count(meeting, made)
    pools = {row.device_id: row.pool_id for row in catalog.devices.all()}
    for pool_id in sorted({pools[one.device_id] for one in objects}):
        devices = [device for device in meeting.taking if device.row.pool_id == pool_id]
        mine = [one for one in objects if pools[one.device_id] == pool_id]
        plan = _plan(catalog, mine, devices)
        if len(plan) < len(mine):
            failures[f"the devices have no room for {len(mine) - len(plan)} objects of lost devices"] = None
        failures |= copy_with_heir(session, meeting, devices, plan, made)
    for pool_id in sorted(set(pools.values())):
        refresh_lacks(catalog, pool_id)
    return MadeAgain(
        made_count=len(made),
        files_healed=len(healed.files),
        bytes_healed=healed.bytes_count,
        loads_bytes=_loads_bytes([*stored, *made]),
        failures=failures,
    )


def _count(meeting: Meeting, stored: Sequence[StoredObject]) -> None:
    """What is stored next has less room."""
    loads_bytes = _loads_bytes(stored)
    for device in meeting.devices:
        device.bytes_written += loads_bytes[device.name]


def _loads_bytes(stored: Sequence[StoredObject]) -> Counter[str]:
    """Device → what it has got, in bytes."""
    found = Counter[str]()
    for one in stored:
        found[one.device] += one.bytes_stored
    return found


def _plan(catalog: Catalog, objects: Sequence[StoredObject], devices: Sequence[PrunedDevice]) -> list[Copying]:
    """The largest first, each on the least-filled device, one without another file of its groups if there is one."""
    targets, groups = [target_of(device) for device in devices], GroupReads(catalog)
    present = {device.device_id: device.name for device in devices}
    beside = _devices_of_groups(catalog)
    found: list[Copying] = []
    for one in sorted(objects, key=lambda one: (-one.bytes_stored, one.object_id)):
        place = groups.place(one, present)
        taken = beside.get(one.object_id, [])
        target = _least_filled(targets, one.bytes_stored, set().union(*taken))
        if place is not None and target is not None:
            target.load_bytes += one.bytes_stored
            target.room_bytes -= one.bytes_stored
            for devices_of_group in taken:
                devices_of_group.add(target.device_id)
            found.append(Copying(object=one, target=target, group=place.group))
    return found


def _devices_of_groups(catalog: Catalog) -> dict[str, list[set[str]]]:
    """Object → of each of its groups the devices that have something of it."""
    groups = catalog.parity.groups()
    index: Mapping[str, Sequence[StoredObject]]
    index = catalog.objects.of({member.segment_id for group in groups for member in group.members})
    holders: dict[str, set[str]] = {}
    for one in chain.from_iterable(index.values()):
        holders.setdefault(one.object_id, set()).add(one.device_id)
    found: dict[str, list[set[str]]] = {}
    for group in groups:
        devices = {row.device_id for row in group.rows}
        devices.update(*(holders.get(member.object_id, ()) for member in group.members))
        for member in group.members:
            found.setdefault(member.object_id, []).append(devices)
    return found


def _least_filled(targets: Sequence[CopyTarget], size_bytes: int, beside: Collection[str]) -> CopyTarget | None:
    fitting = [one for one in targets if one.room_bytes >= size_bytes]
    return min(fitting, key=lambda one: (one.device_id in beside, one.load_bytes, one.name), default=None)
