"""Repacks what is mostly dead, batch by batch: select, write, index, form new groups of parity, swap, delete.

::

    [1] select objects, and devices for what is needed of them (:mod:`producer.retention.pruning.repacking.selection`)
    [2] their workers write the new objects; no index knows them yet
    [3] a manifest with the new lines of the index, on the devices
    [4] where the old objects have parity: groups for the new ones and for what else is needed of their groups
    [5] in one transaction that survives a power cut: the new objects take the place of the old ones, which are doomed
        with the old groups
    [6] the devices delete the old ones

A kill before [5] leaves new objects and groups that the next prune deletes, one after it old ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import chain

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.unused import Unused
from producer.requests import RepackLimits
from producer.retention.pruning.devices import PrunedDevice, count_rows
from producer.retention.pruning.heir import begin_heir, model_of, write_heir
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.members import member_of
from producer.retention.pruning.repacking.planned import selected, targets_of
from producer.retention.pruning.repacking.selection import Repack, place
from producer.retention.pruning.repacking.shared_parity import Done, NewGroups, form_groups
from producer.retention.pruning.repacking.swapping import swap
from producer.retention.pruning.repacking.writing import Writing, Written
from producer.run.session import RunSession

#: What is written before the old objects of it are deleted.
_BATCH_BYTES = 64 * 1024**3
#: Of the room, for new objects that share parity: the rest is for the rows of their new groups.
_ROOM_SHARE = 8


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
        selection = selected(self._catalog, unused, self._catalog.parity.groups(), devices, limits, leaving=leaving)
        self._waiting = list(selection.chosen)
        #: What stays stored although nothing needs it, once all that waits is repacked.
        self.bytes_unused = selection.bytes_unused
        #: Whether groups of parity went: then what only they kept is no longer needed.
        self.has_formed_groups = False
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
            batch_bytes=self._batch_bytes(well),
            unreachable=self._unreachable,
            repacked_on=self._repacked_on,
        )

    def _batch_bytes(self, devices: Sequence[PrunedDevice]) -> int:
        """Groups are formed anew, with their other members, before old ones go: in a full pool for few at a time."""
        if not any(one.has_parity for one in self._waiting):
            return _BATCH_BYTES
        room_bytes = sum(max(0, device.room_bytes) for device in devices)
        return max(1, min(_BATCH_BYTES, room_bytes // _ROOM_SHARE))

    def _run_batch(self, batch: Sequence[Repack]) -> None:
        pool_id = self._devices[0].row.pool_id
        like = model_of(self._catalog, pool_id)
        heir = begin_heir(self._catalog, like)
        written = Writing(self._session, self._members, heir, self._unreachable, self._on_bytes).run(batch)
        takers = self._put_index(heir, like, [one for _, new in written.done for one in new])
        groups = self._form_groups(written)
        swapped = self._swap(heir, takers, written.done, groups.group_ids)
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

    def _form_groups(self, written: Written) -> NewGroups:
        targets = targets_of(self._catalog, [device for device in self._devices if self._meeting.work.is_well(device)])
        by_id = {target.device_id: target for target in targets}
        for one in chain.from_iterable(new for _, new in written.done):
            if one.device_id in by_id:
                by_id[one.device_id].room_bytes -= one.bytes_stored
        referred = self._unused.needed.referred
        groups = form_groups(self._session, self._members, targets, written.done, referred)
        written.failures |= groups.written.failures
        count_rows(self._devices, groups.written)
        if groups.missing_count:
            self._session.observer.note(
                f"not repacked: objects whose parity would have to be rewritten; for {groups.missing_count} of "
                "which no device has room"
            )
        return groups

    def _swap(self, heir: str, takers: Collection[str], done: Done, group_ids: Collection[str]) -> list[Repack]:
        swapped, groups_went = swap(self._session, self._unused, heir, takers, done, group_ids)
        self.has_formed_groups |= groups_went
        return swapped

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
