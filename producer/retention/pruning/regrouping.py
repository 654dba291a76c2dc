"""Forms groups of parity anew where that saves space, before what only they kept is deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.catalog.tables.parity import ParityGroup
from producer.pool.parity.planning import living_members
from producer.pool.parity.regrouping import plan_regrouping, superseded
from producer.pool.parity.writing import let_go, write_parity
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.members import member_of
from producer.retention.pruning.repacking.planned import targets_of
from producer.run.session import RunSession


def regroup(session: RunSession, devices: Sequence[PrunedDevice], finder: NeededFinder) -> bool:
    """Whether groups went; what they alone kept is needed no more then.

    ``devices``: of one pool, that can be written.  What cannot be written is noted, and the old groups stay.  Raises
    InterruptedRun.
    """
    catalog = session.catalog
    if not (found := _groups_on(catalog, devices)):
        return False
    living = living_members(catalog, found, finder.find().referred)
    needless = superseded(found, living, {device.device_id for device in devices})
    let_go(catalog, needless)
    has_replaced, by_rows = bool(needless), defaultdict[int, list[ParityGroup]](list)
    gone = {group.group_id for group in needless}
    for group in found:
        if group.group_id not in gone:
            by_rows[len(group.rows)].append(group)
    for rows_count, groups in sorted(by_rows.items()):
        plan = plan_regrouping(groups, living, targets_of(catalog, devices), rows_count=rows_count)
        if not plan.replaced:
            continue
        written = write_parity(session, {device.name: member_of(device) for device in devices}, plan)
        if written.made_count == len(plan.rows):
            has_replaced = True
            session.observer.note(f"parity: {len(plan.replaced)} groups were made anew as {len(plan.new)}")
        for why in written.failures:
            session.observer.note(f"parity: groups were not made anew: {why}")
    return has_replaced


def _groups_on(catalog: Catalog, devices: Sequence[PrunedDevice]) -> list[ParityGroup]:
    """The groups of the pool."""
    pools = {row.device_id: row.pool_id for row in catalog.devices.all()}
    pool_id = devices[0].row.pool_id
    groups = catalog.parity.groups()
    return [group for group in groups if any(pools.get(row.device_id) == pool_id for row in group.rows)]
