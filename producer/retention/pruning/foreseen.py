"""What a prune would do to groups of parity, and to what they alone keep: the steps of the prune, on values.

The decisions are those of the prune itself; only what workers would answer is assumed: that each row is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.needed import Needed, NeededFinder
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.listing.places.stored_ranges import bytes_in
from producer.pool.copies import CopyTarget
from producer.pool.parity.grouping import ParityPlan
from producer.pool.parity.planning import living_members
from producer.pool.parity.replacing import settle
from producer.pool.parity.writing import doomed_rows
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.regrouping import regroupings
from producer.retention.pruning.repacking.selection import Repack
from producer.retention.pruning.repacking.shared_parity import plans_by_rows

#: Stands for that of a row that would be written.
_WRITTEN = b"\0"

#: The targets of rows on these devices, as they would be then.
Targets = Callable[[Sequence[PrunedDevice]], list[CopyTarget]]


class Foreseen(NeededFinder):
    """Groups and objects as they would be; says what is needed then.

    Like the prune: :meth:`decide`, :meth:`regroup` for each pool, :meth:`repack`, :meth:`regroup`.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._now: Needed = super().find()
        self.groups: list[ParityGroup] = catalog.parity.groups()
        #: Object and device → what goes, rows of parity among it.
        self._gone: dict[tuple[str, str], DoomedObject] = {}
        self._new: dict[str, list[StoredObject]] = {}
        #: Rows that are written: the id of the device, and about how many bytes.
        self.rows: list[tuple[str, int]] = []

    @property
    def doomed(self) -> list[DoomedObject]:
        return list(self._gone.values())

    def find(self) -> Needed:
        """With what shares parity by the groups as they would be."""
        referred, closed = self._now.referred, set[str]()
        for group in self.groups:
            segment_ids = {one.segment_id for one in group.members}
            if not segment_ids.isdisjoint(referred):
                closed |= segment_ids
        return replace(self._now, segment_ids=referred | closed)

    def decide(self) -> None:
        """What nothing needs goes, and the groups of which no member is left."""
        self._doom(self._catalog.garbage.objects(self.find().segment_ids))
        segment_ids = {one.segment_id for group in self.groups for one in group.members}
        indexed = chain.from_iterable(self._catalog.objects.of(segment_ids).values())
        there = {one.object_id for one in indexed if (one.object_id, one.device_id) not in self._gone} | set(self._new)
        self._let_go([group for group in self.groups if not any(one.object_id in there for one in group.members)])

    def regroup(self, devices: Sequence[PrunedDevice], targets: Targets) -> None:
        """Of one pool."""
        ids = {device.device_id for device in devices}
        found = regroupings(self._of_pool(devices), self._living(self.groups), ids, lambda: targets(devices))
        self._let_go(found.needless)
        for plan in found.plans():
            self._write(plan)
            self._let_go(plan.replaced)
        self.decide()

    def repack(
        self, repacks: Sequence[Repack], devices: Sequence[PrunedDevice], targets: Targets
    ) -> tuple[list[Repack], bool]:
        """Those that could take the place of the old objects, and whether groups went with these."""
        done = [(repack, _new_objects(repack)) for repack in repacks]
        self._new |= {new[0].object_id: list(new) for _, new in done if new}
        formed = list[ParityGroup]()
        for plan in plans_by_rows(self.groups, self._living, done, targets(devices)):
            self._write(plan)
            formed += plan.new
        going = settle(
            self.groups,
            {repack.candidate.object.object_id: new[0].object_id if new else "" for repack, new in done},
            new_objects=set(self._new),
            new_groups={group.group_id for group in formed},
            living=self._living(self.groups).keys(),
        )
        swapped = [repack for repack in repacks if repack.candidate.object.object_id in going.objects]
        self._doom(_doomed(copy) for repack in swapped for copy in repack.candidate.copies)
        self._let_go(going.groups)
        return swapped, bool(going.groups)

    def _of_pool(self, devices: Sequence[PrunedDevice]) -> list[ParityGroup]:
        pools = {row.device_id: row.pool_id for row in self._catalog.devices.all()}
        pool_id = devices[0].row.pool_id
        return [group for group in self.groups if any(pools.get(row.device_id) == pool_id for row in group.rows)]

    def _living(self, groups: Sequence[ParityGroup]) -> dict[str, list[StoredObject]]:
        found = living_members(self._catalog, groups, self._now.referred)
        gone = {object_id for object_id, _ in self._gone}
        return {key: objects for key, objects in found.items() if key not in gone} | self._new

    def _write(self, plan: ParityPlan) -> None:
        for group in plan.new:
            rows = tuple(replace(row, bytes_stored=group.size_bytes, digest=_WRITTEN) for row in group.rows)
            self.groups.append(replace(group, rows=rows))
        self.rows += ((one.target.device_id, one.group.size_bytes) for one in plan.rows)

    def _let_go(self, groups: Iterable[ParityGroup]) -> None:
        gone = {group.group_id: group for group in groups}
        self.groups = [group for group in self.groups if group.group_id not in gone]
        for group in gone.values():
            self._doom(doomed_rows(group))

    def _doom(self, objects: Iterable[DoomedObject]) -> None:
        self._gone |= {(one.object_id, one.device_id): one for one in objects}


def _doomed(one: StoredObject) -> DoomedObject:
    return DoomedObject(device_id=one.device_id, object_id=one.object_id, bytes_stored=one.bytes_stored)


def _new_objects(repack: Repack) -> tuple[StoredObject, ...]:
    old, object_id = repack.candidate.object, uuid.uuid4().hex
    return tuple(
        replace(
            old,
            object_id=object_id,
            device_id=target.device_id,
            device=target.name,
            size_bytes=bytes_in(repack.candidate.living),
            bytes_stored=repack.candidate.bytes_to_write,
            parts=tuple(repack.candidate.living),
            is_damaged=False,
        )
        for target in repack.targets
    )
