"""Forms new groups of parity where that saves space, before what only the old ones kept is deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.parity.grouping import ParityPlan
from producer.pool.parity.planning import living_members
from producer.pool.parity.regrouping import plan_regrouping, superseded
from producer.pool.parity.writing import let_go, write_parity
from producer.retention.pruning.devices import PrunedDevice, count_rows
from producer.retention.pruning.members import member_of
from producer.retention.pruning.repacking.planned import targets_of
from producer.run.session import RunSession


def regroup(session: RunSession, devices: Sequence[PrunedDevice], finder: NeededFinder) -> bool:
    """Whether groups went; then what only they kept is no longer needed.

    ``devices``: of one pool, that can be written.  What cannot be written is noted, and the old groups stay.  Raises
    InterruptedRun.
    """
    catalog = session.catalog
    if not (found := _groups_on(catalog, devices)):
        return False
    living = living_members(catalog, found, finder.find().referred)
    ids = {device.device_id for device in devices}
    planned = regroupings(found, living, ids, lambda: targets_of(catalog, devices))
    let_go(catalog, planned.needless)
    has_replaced = bool(planned.needless)
    for plan in planned.plans():
        written = write_parity(session, {device.name: member_of(device) for device in devices}, plan)
        count_rows(devices, written)
        if written.made_count == len(plan.rows):
            has_replaced = True
            session.observer.note(f"parity: {len(plan.replaced)} groups were replaced by {len(plan.new)}")
        for why in written.failures:
            session.observer.note(f"parity: no groups were replaced: {why}")
    return has_replaced


class Regroupings(Struct, frozen=True, kw_only=True):
    """``needless``: groups that go as they are; ``plans``: those of others, made as they are asked for."""

    needless: Sequence[ParityGroup]
    plans: Callable[[], Iterator[ParityPlan]]


def regroupings(
    groups: Sequence[ParityGroup],
    living: Mapping[str, Sequence[StoredObject]],
    device_ids: Collection[str],
    targets: Callable[[], Sequence[CopyTarget]],
) -> Regroupings:
    """What is to be done to the ``groups`` of a pool; ``living``: as for :func:`plan_regrouping`."""
    needless = superseded(groups, living, device_ids)
    by_rows, gone = defaultdict[int, list[ParityGroup]](list), {group.group_id for group in needless}
    for group in groups:
        if group.group_id not in gone:
            by_rows[len(group.rows)].append(group)

    def plans() -> Iterator[ParityPlan]:
        for rows_count, of_rows in sorted(by_rows.items()):
            plan = plan_regrouping(of_rows, living, targets(), rows_count=rows_count)
            if plan.replaced:
                yield plan

    return Regroupings(needless=needless, plans=plans)


def _groups_on(catalog: Catalog, devices: Sequence[PrunedDevice]) -> list[ParityGroup]:
    """The groups of the pool."""
    pools = {row.device_id: row.pool_id for row in catalog.devices.all()}
    pool_id = devices[0].row.pool_id
    groups = catalog.parity.groups()
    return [group for group in groups if any(pools.get(row.device_id) == pool_id for row in group.rows)]
