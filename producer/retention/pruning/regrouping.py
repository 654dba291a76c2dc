"""Forms groups of parity anew where that saves space, before what only they kept is deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.parity.regrouping import plan_regrouping
from producer.pool.parity.writing import write_parity
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.members import member_of
from producer.retention.pruning.repacking.planned import targets_of
from producer.run.session import RunSession


def regroup(session: RunSession, devices: Sequence[PrunedDevice], finder: NeededFinder) -> bool:
    """Whether groups were replaced; what they alone kept is needed no more then.

    ``devices``: of one pool, that can be written.  What cannot be written is noted, and the old groups stay.  Raises
    InterruptedRun.
    """
    catalog, has_replaced = session.catalog, False
    if not (groups := _by_rows(catalog, devices)):
        return False
    referred = finder.find().referred
    for rows_count, found in sorted(groups.items()):
        living = _living(catalog, found, referred)
        plan = plan_regrouping(found, living, targets_of(catalog, devices), rows_count=rows_count)
        if not plan.replaced:
            continue
        written = write_parity(session, {device.name: member_of(device) for device in devices}, plan)
        if written.made_count == len(plan.rows):
            has_replaced = True
            session.observer.note(f"parity: {len(plan.replaced)} groups were made anew as {len(plan.new)}")
        for why in written.failures:
            session.observer.note(f"parity: groups were not made anew: {why}")
    return has_replaced


def _by_rows(catalog: Catalog, devices: Sequence[PrunedDevice]) -> dict[int, list[ParityGroup]]:
    """The groups of the pool, by how many losses they survive."""
    pools = {row.device_id: row.pool_id for row in catalog.devices.all()}
    found: defaultdict[int, list[ParityGroup]] = defaultdict(list)
    for group in catalog.parity.groups():
        if any(pools.get(row.device_id) == devices[0].row.pool_id for row in group.rows):
            found[len(group.rows)].append(group)
    return dict(found)


def _living(catalog: Catalog, groups: Sequence[ParityGroup], referred: frozenset[str]) -> dict[str, list[StoredObject]]:
    """Member that a snapshot needs → where it lies."""
    index = catalog.objects.of({one.segment_id for group in groups for one in group.members} & referred)
    found: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for one in chain.from_iterable(index.values()):
        found[one.object_id].append(one)
    return dict(found)
