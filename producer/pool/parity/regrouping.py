"""Which parity groups to form again, because other groups of the same objects would cost less.  Pure.

Small backups make small groups, and a group whose members are dead keeps them for the sake of the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.parity.grouping import Holders, ParityPlan, holders_of_objects, member_devices, plan_parity
from tasks.groups import MAX_MEMBERS

#: The least saving, as a part of what the replaced groups cost.
_LEAST_SAVING = 0.1

#: Of more groups than this, half are left out when the new ones find no room; of fewer one at a time.
_FEW_COUNT = 8


def plan_regrouping(
    groups: Sequence[ParityGroup],
    living: Mapping[str, Sequence[StoredObject]],
    targets: Sequence[CopyTarget],
    *,
    rows_count: int,
) -> ParityPlan:
    """New groups for the living members of those with fewer than they could have; empty if that saves too little.

    Where the new rows do not have room beside all old groups, new ones for a part of these, with what is dead first:
    there is more room once they have gone.

    ``groups``: with ``rows_count`` rows each.  ``living``: object that a snapshot needs → where it lies.  A group of
    which a living member is on none of the ``targets``, damaged or away, stays as it is.
    """
    most_count, ids = min(MAX_MEMBERS, len(targets) - rows_count), {one.device_id for one in targets}
    holders = holders_of_objects((one for found in living.values() for one in found), ids)
    chosen = [
        group
        for group in groups
        if sum(one.object_id in living for one in group.members) < most_count
        and all(one.object_id in holders for one in group.members if one.object_id in living)
    ]
    chosen = _in_turns(sorted(chosen, key=lambda group: (-_dead_bytes(group, living), group.group_id)), living)
    while chosen:
        plan = _plan(chosen, living, [replace(one) for one in targets], holders, rows_count)
        before_bytes = sum(_cost_bytes(group) + _dead_bytes(group, living) for group in chosen)
        saved_bytes = before_bytes - sum(map(_cost_bytes, plan.new))
        if not plan.missing_count:
            is_worth_it = saved_bytes >= max(1, _LEAST_SAVING * before_bytes)
            return replace(plan, replaced=chosen) if is_worth_it else ParityPlan()
        chosen = chosen[: len(chosen) // 2 if len(chosen) > _FEW_COUNT else -1]
    return ParityPlan()


def _in_turns(groups: Sequence[ParityGroup], living: Mapping[str, Sequence[StoredObject]]) -> list[ParityGroup]:
    """Those with nothing dead last, and of these in turns what lies on different devices: any few of them fit together.

    ``groups``: with what is dead first.
    """
    seen, turns = Counter[frozenset[str]](), dict[str, int]()
    for group in groups:
        if not _dead_bytes(group, living):
            places = (living[one.object_id] for one in group.members)
            devices = frozenset(one.device_id for found in places for one in found)
            seen[devices] += 1
            turns[group.group_id] = seen[devices]
    return sorted(groups, key=lambda group: turns.get(group.group_id, 0))


def _plan(
    chosen: Sequence[ParityGroup],
    living: Mapping[str, Sequence[StoredObject]],
    targets: Sequence[CopyTarget],
    holders: Holders,
    rows_count: int,
) -> ParityPlan:
    ids = {one.device_id for one in targets}
    objects = {
        one.object_id: living[one.object_id][0] for group in chosen for one in group.members if one.object_id in living
    }
    return plan_parity(
        list(objects.values()),
        [],
        targets,
        rows_count=rows_count,
        holders=holders,
        indexed=(),
        holding=ids,
        readable=ids,
    )


def superseded(
    groups: Sequence[ParityGroup], living: Mapping[str, Sequence[StoredObject]], device_ids: Collection[str]
) -> list[ParityGroup]:
    """The groups whose living members are all in others that are whole on these devices, and have as many rows.

    A run that was killed while it formed new groups leaves both.
    """
    holders = holders_of_objects(chain.from_iterable(living.values()), device_ids)
    whole = {group.group_id for group in groups if _is_whole(group, holders, device_ids)}
    of_object = defaultdict[str, dict[str, int]](dict)
    for group in groups:
        for one in group.members if group.group_id in whole else ():
            of_object[one.object_id][group.group_id] = len(group.rows)
    found = list[ParityGroup]()
    for group in sorted(groups, key=lambda one: (one.group_id in whole, len(one.members), one.group_id)):
        needed = [one.object_id for one in group.members if one.object_id in living]
        others = ({rows for key, rows in of_object[one].items() if key != group.group_id} for one in needed)
        if needed and all(max(found_rows, default=0) >= len(group.rows) for found_rows in others):
            found.append(group)
            for object_id in needed:
                of_object[object_id].pop(group.group_id, None)
    return found


def _is_whole(group: ParityGroup, holders: Holders, device_ids: Collection[str]) -> bool:
    """Whether all of it is there, each file on a device of its own."""
    of_members = member_devices(group, holders)
    if of_members is None or not all(row.digest is not None and row.device_id in device_ids for row in group.rows):
        return False
    return len({*of_members, *(row.device_id for row in group.rows)}) == len(group.members) + len(group.rows)


def _cost_bytes(group: ParityGroup) -> int:
    return group.size_bytes * len(group.rows)


def _dead_bytes(group: ParityGroup, living: Mapping[str, object]) -> int:
    return sum(one.bytes_stored for one in group.members if one.object_id not in living)
