"""Repacks what is mostly dead, batch by batch: select, write, put the index on the devices, swap, delete.

::

    [1] select objects, and devices for what is needed of them (:mod:`producer.retention.pruning.repacking.selection`)
    [2] their workers write the new objects; no index knows them yet
    [3] a manifest with the new lines of the index, on the devices
    [4] in one transaction that survives a power cut: the new objects take the place of the old ones, which are doomed
    [5] the devices delete the old ones

A kill before [4] leaves new objects that the next prune deletes, one after it old ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from producer.catalog.catalog import Catalog
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.unused import Unused
from producer.listing.places.stored_ranges import without
from producer.ownership.readers import no_new_readers
from producer.requests import RepackLimits
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.heir import begin_heir, model_of, write_heir
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.members import member_of
from producer.retention.pruning.repacking.candidates import busy_segments
from producer.retention.pruning.repacking.planned import selected, targets_of
from producer.retention.pruning.repacking.selection import Candidate, Repack, place
from producer.retention.pruning.repacking.writing import Writing, Written
from producer.run.session import RunSession

#: What is written before the old objects of it are deleted.
_BATCH_BYTES = 64 * 1024**3


class Repacking:
    """The repack of one pool."""

    def __init__(
        self,
        session: RunSession,
        meeting: Meeting,
        unused: Unused,
        devices: Sequence[PrunedDevice],
        limits: RepackLimits,
        on_bytes: Callable[[int], None],
        *,
        leaving: str = "",
    ) -> None:
        """``devices``: those of the pool on which may be deleted; ``on_bytes`` gets bytes as they are written.

        ``leaving``: the id of one of them, of which all is repacked on the others that is needed in part.
        """
        self._session = session
        self._catalog = session.catalog
        self._meeting = meeting
        self._unused = unused
        self._devices = devices
        self._members = {device.name: member_of(device) for device in devices}
        self._on_bytes = on_bytes
        self._leaving = leaving
        selection = selected(self._catalog, unused, devices, limits, leaving=leaving)
        self._waiting = list(selection.chosen)
        #: What nothing needs and is stored nevertheless, if all that waits is repacked.
        self.bytes_unused = selection.bytes_unused
        self._unreachable: set[tuple[str, str]] = set()
        #: Segment → ids of devices that have got new objects of it.
        self._repacked_on: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def bytes_to_write(self) -> int:
        return sum(one.bytes_to_write * len(one.copies) for one in self._waiting)

    def run(self, delete_doomed: Callable[[], None]) -> None:
        """Repack all that was selected and for which there is room; ``delete_doomed`` deletes the old objects."""
        while batch := self._place():
            placed = {repack.candidate.object.object_id for repack in batch}
            self._waiting = [one for one in self._waiting if one.object.object_id not in placed]
            self._run_batch(batch)
            delete_doomed()
        if self._waiting and not self._leaving:
            self.bytes_unused += sum(one.bytes_unused for one in self._waiting)
            self._session.observer.note(
                f"not repacked: {len(self._waiting)} objects that are needed in part; no device "
                "that reaches them has room for that part"
            )

    def _place(self) -> list[Repack]:
        well = [device for device in self._devices if self._meeting.work.is_well(device)]
        ids = {device.device_id for device in well}
        return place(
            [one for one in self._waiting if all(copy.device_id in ids for copy in one.copies)],
            targets_of(self._catalog, [device for device in well if device.device_id != self._leaving]),
            sites={device.device_id: device.row.site for device in well},
            batch_bytes=_BATCH_BYTES,
            unreachable=self._unreachable,
            repacked_on=self._repacked_on,
        )

    def _run_batch(self, batch: Sequence[Repack]) -> None:
        pool_id = self._devices[0].row.pool_id
        like = model_of(self._catalog, pool_id)
        heir = begin_heir(self._catalog, like)
        written = Writing(self._session, self._members, heir, self._unreachable, self._on_bytes).run(batch)
        takers = self._put_index(heir, like, [one for _, new in written.done for one in new])
        swapped = self._swap(heir, takers, written.done)
        done = {one.candidate.object.object_id for one in swapped}
        self._tell(batch, done, written)
        kept = {one.object_id for repack, new in written.done for one in new if repack in swapped}
        for one in (one for _, new in written.done for one in new if one.object_id in kept):
            self._count(one)
            self._repacked_on[one.segment_id].add(one.device_id)
        self._delete([one for _, new in written.done for one in new if one.object_id not in kept])
        self._delete(written.left_over)

    def _put_index(self, heir: str, like: SnapshotRow, rows: Sequence[StoredObject]) -> set[str]:
        """The ids of the devices that have the new lines; those without room get them later, as manifests do."""
        if not rows:
            return set()
        well = self._meeting.writable
        of_pool = [device for device in well if device.row.pool_id == like.pool_id]
        took = write_heir(self._catalog, self._meeting, of_pool, heir, like=like, digests=(), rows=rows)
        return {device.device_id for device in took}

    def _swap(
        self, heir: str, takers: Collection[str], done: Sequence[tuple[Repack, Sequence[StoredObject]]]
    ) -> list[Repack]:
        """Let the new objects take the place of the old ones, where nobody has come to need more of these meanwhile.

        A new object counts only on a device that has the index with it: whoever finds the one there finds the other.
        """
        catalog, swapped = self._catalog, list[Repack]()
        lost = {device.device_id for device in catalog.devices.all() if device.state == "lost"}
        with no_new_readers(self._session.holder, purpose="prune"), catalog.durable_transaction():
            self._unused.look()
            busy = busy_segments(catalog)
            for repack, new in done:
                if all(one.device_id in takers for one in new) and self._may_swap(repack.candidate, busy):
                    swap_objects(catalog, repack.candidate.copies, new)
                    _drop_copies(catalog, repack.candidate.object, lost)
                    swapped.append(repack)
            catalog.remains.set_holders(heir, takers)
        return swapped

    def _may_swap(self, candidate: Candidate, busy: Collection[str]) -> bool:
        old = candidate.object
        now = self._catalog.objects.of([old.segment_id]).get(old.segment_id, [])
        there = {one.key for one in now if one.object_id == old.object_id}
        more = without(self._unused.living_of(old), candidate.living)
        return old.segment_id not in busy and not more and there >= {one.key for one in candidate.copies}

    def _tell(self, batch: Sequence[Repack], done: Collection[str], written: Written) -> None:
        """What was not done is tried again where another device can do it."""
        left = [repack for repack in batch if repack.candidate.object.object_id not in done]
        for repack in left:
            if repack.candidate in written.not_reached:
                self._waiting.append(repack.candidate)
            else:
                self.bytes_unused += repack.candidate.bytes_unused
        for why in written.failures:
            self._meeting.work.tell("", f"not repacked: {why}")

    def _count(self, new: StoredObject) -> None:
        device = next(device for device in self._devices if device.device_id == new.device_id)
        device.repacked_count += 1
        device.bytes_written += new.bytes_stored

    def _delete(self, objects: Sequence[StoredObject]) -> None:
        """Objects that no index of the catalog has."""
        names = {device.device_id: device.name for device in self._devices}
        ids: dict[str, list[str]] = {}
        for one in objects:
            ids.setdefault(names[one.device_id], []).append(one.object_id)
        self._meeting.work.delete_objects(ids, lambda _device, _gone: None)


def swap_objects(catalog: Catalog, old: Sequence[StoredObject], new: Sequence[StoredObject]) -> None:
    """The new objects stand in the index, the old ones are to be deleted by their devices."""
    for one in new:
        catalog.objects.add(one)
    for one in old:
        catalog.objects.remove(one.object_id, one.device_id)
    catalog.doomed.add(
        DoomedObject(device_id=one.device_id, object_id=one.object_id, bytes_stored=one.bytes_stored) for one in old
    )


def _drop_copies(catalog: Catalog, old: StoredObject, lost: Collection[str]) -> None:
    """Nobody misses what lost devices had of it: what is needed is in the new objects."""
    for one in catalog.objects.of([old.segment_id]).get(old.segment_id, []):
        if one.object_id == old.object_id and one.device_id in lost:
            catalog.objects.remove(one.object_id, one.device_id)
