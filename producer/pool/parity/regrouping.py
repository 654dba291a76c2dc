"""Which groups of parity are formed anew, because they cost more than others of the same objects would.  Pure.

Small backups make small groups, and a group whose members are dead keeps them for the sake of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.parity.grouping import ParityPlan, holders_of_objects, plan_parity
from tasks.groups import MAX_MEMBERS

#: Of what the groups cost that would be replaced.
_LEAST_SAVING = 0.1


def plan_regrouping(
    groups: Sequence[ParityGroup],
    living: Mapping[str, Sequence[StoredObject]],
    targets: Sequence[CopyTarget],
    *,
    rows_count: int,
) -> ParityPlan:
    """New groups for the living members of those with fewer than they could have; empty if that saves too little.

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
    objects = {
        one.object_id: living[one.object_id][0] for group in chosen for one in group.members if one.object_id in living
    }
    plan = plan_parity(
        list(objects.values()),
        [],
        targets,
        rows_count=rows_count,
        holders=holders,
        indexed=(),
        holding=ids,
        readable=ids,
    )
    before_bytes = sum(_cost_bytes(group) + _dead_bytes(group, living) for group in chosen)
    saved_bytes = before_bytes - sum(map(_cost_bytes, plan.new))
    if plan.missing_count or saved_bytes < max(1, _LEAST_SAVING * before_bytes):
        return ParityPlan()
    plan.replaced = chosen
    return plan


def _cost_bytes(group: ParityGroup) -> int:
    return group.size_bytes * len(group.rows)


def _dead_bytes(group: ParityGroup, living: Mapping[str, object]) -> int:
    return sum(one.bytes_stored for one in group.members if one.object_id not in living)
