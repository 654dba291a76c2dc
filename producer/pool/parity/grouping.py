"""Which stored objects form groups, and on which devices the rows of their parity lie.  Pure.

A group is sound while each of its members and rows has a device of its own.  One that is not is replaced: its members
go into new groups, and its rows are deleted once these are written.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from msgspec import Struct, field

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup, ParityMember, ParityRow
from producer.pool.copies import CopyTarget
from tasks.groups import MAX_MEMBERS

#: Object → the ids of the devices that have it, sound.
Holders = Mapping[str, Collection[str]]


class RowToWrite(Struct, frozen=True, kw_only=True):
    """``moved``: from a device that no longer counts."""

    group: ParityGroup
    number: int
    target: CopyTarget
    moved: bool = False


class ParityPlan(Struct, kw_only=True):
    #: Groups that are to be recorded before their rows are written.
    new: list[ParityGroup] = field(default_factory=list)
    rows: list[RowToWrite] = field(default_factory=list)
    #: Groups that new ones replace.
    replaced: list[ParityGroup] = field(default_factory=list)
    #: Objects for whose parity no device has room, or which no group can take.
    missing_count: int = 0

    @property
    def unprotected_count(self) -> int:
        """Objects that have less parity than they should until all of this is written."""
        unfinished = {one.group.group_id: one.group for one in self.rows}
        return self.missing_count + sum(len(group.members) for group in unfinished.values())


def holders_of_objects(
    objects: Iterable[StoredObject], device_ids: Collection[str] | None = None
) -> dict[str, set[str]]:
    """Object → the devices (only ``device_ids``, if given) that have it undamaged, as the catalog knows."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in objects:
        if not one.is_damaged and (device_ids is None or one.device_id in device_ids):
            found[one.object_id].add(one.device_id)
    return dict(found)


def member_devices(group: ParityGroup, holders: Holders) -> list[str] | None:
    """A device of its own for each member; None where there is none."""
    taken: dict[str, None] = {}
    for member in group.members:
        device_id = min((found for found in holders.get(member.object_id, ()) if found not in taken), default=None)
        if device_id is None:
            return None
        taken[device_id] = None
    return list(taken)


def can_give(group: ParityGroup, holders: Holders, device_ids: Collection[str]) -> bool:
    """Whether the part of the group on these devices suffices to read or make all members."""
    members_count = sum(
        any(found in device_ids for found in holders.get(member.object_id, ())) for member in group.members
    )
    rows_count = sum(row.digest is not None and row.device_id in device_ids for row in group.rows)
    return members_count + rows_count >= len(group.members)


def plan_parity(
    objects: Sequence[StoredObject],
    groups: Sequence[ParityGroup],
    targets: Sequence[CopyTarget],
    *,
    rows_count: int,
    holders: Holders,
    indexed: Collection[str],
    holding: Collection[str],
    readable: Set[str],
) -> ParityPlan:
    """The parity that is still to be written, so that each of the objects survives the loss of ``rows_count`` devices.

    ``holders``: of these objects and of all members.  ``indexed``: the members that the index names on any device,
    though it is lost.  ``holding``: ids of the devices that count, also of those that are away; ``readable``: of those
    whose objects can be read now.  The room of the targets shrinks as they get rows.
    """
    plan = ParityPlan()
    protected: set[str] = set()
    broken: list[ParityGroup] = []
    wanted = {one.object_id: one for one in objects}
    for group in groups:
        devices = member_devices(group, holders) if len(group.rows) >= rows_count else None
        rows = None if devices is None else _missing_rows(group, devices, targets, holding)
        if rows is None:
            broken.append(group)
        else:
            plan.rows += rows
            protected.update(member.object_id for member in group.members)
    here = {key: sorted(found) for key, ids in holders.items() if (found := readable & set(ids))}
    left = [one for object_id, one in wanted.items() if object_id not in protected and object_id in here]
    for group in _new_groups(left, targets, rows_count, here):
        plan.new.append(group)
        protected.update(member.object_id for member in group.members)
        by_id = {target.device_id: target for target in targets}
        plan.rows += [
            RowToWrite(group=group, number=number, target=by_id[row.device_id]) for number, row in enumerate(group.rows)
        ]
    plan.missing_count = len(wanted.keys() - protected)
    # A broken group may be needed to make a lost member; so it is kept while a member has no other parity.
    plan.replaced = [
        group
        for group in broken
        if all(one.object_id in protected or one.object_id not in indexed for one in group.members)
    ]
    return plan


def _missing_rows(
    group: ParityGroup, devices: Sequence[str], targets: Sequence[CopyTarget], holding: Collection[str]
) -> list[RowToWrite] | None:
    """The rows that are still to be written; None when there is no device of its own for one of them."""
    taken, found, homeless = set(devices), list[RowToWrite](), list[int]()
    for number, row in enumerate(group.rows):
        if row.device_id not in holding or row.device_id in taken:
            homeless.append(number)
            continue
        taken.add(row.device_id)
        if row.digest is None:
            target = next((one for one in targets if one.device_id == row.device_id), None)
            if target is None:
                return None
            found.append(RowToWrite(group=group, number=number, target=target))
    for number in homeless:
        target = _least_filled(targets, group.size_bytes, taken)
        if target is None:
            return None
        _load(target, group.size_bytes)
        taken.add(target.device_id)
        found.append(RowToWrite(group=group, number=number, target=target, moved=True))
    return found


def _new_groups(
    objects: Sequence[StoredObject], targets: Sequence[CopyTarget], rows_count: int, holders: Mapping[str, list[str]]
) -> Iterable[ParityGroup]:
    """Groups of objects of similar size, each on another device; the largest objects first."""
    waiting: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for one in sorted(objects, key=lambda one: (one.bytes_stored, one.object_id)):
        waiting[holders[one.object_id][0]].append(one)
    most_count = min(MAX_MEMBERS, len(targets) - rows_count)
    while most_count > 0 and (full := {key: found for key, found in waiting.items() if found}):
        # From those with the most, so that the last groups are as large as the first.
        chosen = sorted(full, key=lambda key: (-len(full[key]), -full[key][-1].bytes_stored, key))[:most_count]
        members = [waiting[key].pop() for key in chosen]
        size_bytes = max(one.bytes_stored for one in members)
        taken, rows = set(chosen), list[CopyTarget]()
        while len(rows) < rows_count and (target := _least_filled(targets, size_bytes, taken)) is not None:
            taken.add(target.device_id)
            rows.append(target)
        if len(rows) < rows_count:
            continue
        for target in rows:
            _load(target, size_bytes)
        yield ParityGroup(
            group_id=uuid.uuid4().hex,
            members=tuple(map(_member, members)),
            rows=tuple(ParityRow(device_id=target.device_id) for target in rows),
        )


def _least_filled(targets: Sequence[CopyTarget], size_bytes: int, taken: Collection[str]) -> CopyTarget | None:
    fitting = [one for one in targets if one.device_id not in taken and one.room_bytes >= size_bytes]
    return min(fitting, key=lambda one: (one.load_bytes, one.name), default=None)


def _load(target: CopyTarget, size_bytes: int) -> None:
    target.load_bytes += size_bytes
    target.room_bytes -= size_bytes


def _member(one: StoredObject) -> ParityMember:
    return ParityMember(
        object_id=one.object_id,
        segment_id=one.segment_id,
        bytes_stored=one.bytes_stored,
        trailer_digest=one.trailer_digest,
    )
