"""``prune``: deletes from the devices what no snapshot needs (docs/retention.md).

::

    [1] meet the devices; an old copy of the catalog, or one that does not know all snapshots there, ends here
    [2] decide, in one transaction that survives a power cut: what nothing needs leaves the catalog, and is doomed
    [3] tombstones and the new generation on every device
    [4] heads of forgotten snapshots, their other files, claims that have ended
    [5] doomed objects, and objects that no index knows of snapshots that this catalog has begun and ended
    [6] what many forgotten snapshots lend to others is gathered in one manifest
    [7] forget the snapshots of which no device has anything any more

A kill at any point costs space alone, which the next prune gets back.
"""

from __future__ import annotations

import time
from collections import defaultdict

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest.tombstones import encode_tombstone, tombstone_name
from producer.observer import Observer, Progress
from producer.ownership.holder import Holder
from producer.pool.marks import marks_for, record_marks
from producer.requests import PruneRequest
from producer.retention.pruning.device_files import files_by_snapshot, files_to_delete, left_of, without_tombstone
from producer.retention.pruning.devices import DeviceWork, PrunedDevice
from producer.retention.pruning.gathering import gather
from producer.retention.pruning.meeting import meet
from producer.retention.pruning.needed import NeededFinder, parents_of
from producer.retention.pruning.orphans import find_orphans
from producer.retention.pruning.report import dry_summary, summary_of
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import PruneSummary
from tasks.generations import encode_generation, generation_name

#: One prune at a time: what one has decided to delete is not the other's to judge.
PRUNE = "prune"


def prune(request: PruneRequest, observer: Observer, environment: Environment) -> PruneSummary:
    """Delete what nothing needs, on the devices that are there; what is to go on others is remembered.

    Runs beside backups, restores and checks.  Raises LockedError beside another prune, OldCatalogError for a catalog
    that does not know all that is on the devices, and what opening a session raises.
    """
    if request.dry_run:
        needs = RunNeeds(devices=request.devices, purpose="prune --dry-run")
        with open_session(needs, observer, environment) as session:
            return preview(session)
    with (
        Catalog(environment.catalog) as catalog,
        Holder(catalog, environment.catalog, manager=environment.manager, note=observer.note) as holder,
        holder.holding(PRUNE, purpose="prune", patience_s=environment.patience.left_s),
        open_session(
            RunNeeds(devices=request.devices, purpose="prune", holder=holder), observer, environment
        ) as session,
    ):
        return recorded(session, "prune", "", lambda: prune_in_session(session))


def preview(session: RunSession) -> PruneSummary:
    """What a prune would delete; changes nothing."""
    started_s, catalog = time.monotonic(), session.catalog
    meeting = meet(session)
    needed = NeededFinder(catalog).find()
    doomed = [found for device in catalog.devices.all() for found in catalog.doomed.on(device.device_id)]
    return dry_summary(
        session,
        meeting,
        doomed=[*doomed, *catalog.garbage.objects(needed.segment_ids)],
        orphans=find_orphans(session, meeting),
        emptied=_would_be_empty(catalog, needed.parts, needed.segment_ids),
        started_s=started_s,
    )


def prune_in_session(session: RunSession) -> PruneSummary:
    return _Prune(session).run()


class _Prune:
    def __init__(self, session: RunSession) -> None:
        self._session = session
        self._catalog = session.catalog
        self._started_s = time.monotonic()
        self._bytes_total = self._bytes_done = 0

    def run(self) -> PruneSummary:
        self._meeting = meet(self._session)
        self._work: DeviceWork = self._meeting.work
        self._decide()
        self._bury()
        emptied = self._empty()
        self._delete_files(emptied)
        self._delete_doomed()
        self._delete_orphans()
        if self._gather():
            emptied = self._empty()
            self._delete_files(emptied)
        # A device that was full has room now.
        self._bury()
        self._let_go(emptied)
        return summary_of(self._session, self._meeting, started_s=self._started_s)

    def _decide(self) -> None:
        """What nothing needs leaves the catalog; from then on nothing can come to need it."""
        catalog, finder = self._catalog, NeededFinder(self._catalog)
        finder.find()  # Most of the work, outside of the transaction that keeps others from writing.
        with catalog.durable_transaction():
            for device in catalog.devices.all():
                if device.state == "lost":
                    catalog.doomed.drop_device(device.device_id)
            needed = finder.find()
            catalog.garbage.doom(needed.segment_ids)
            catalog.garbage.drop_parts(needed.parts)
            kept = parents_of(catalog.snapshots.all("open"))
            for row in catalog.snapshots.all("forgotten"):
                if row.snapshot_id not in kept:
                    catalog.remains.strip(row.snapshot_id)

    def _bury(self) -> None:
        """Put tombstones, marks and the generation on the devices."""
        catalog, generation = self._catalog, self._catalog.generations.raise_()
        forgotten = catalog.snapshots.all("forgotten")
        states = {row.snapshot_id: row.state for row in forgotten}
        files = {generation_name(generation.catalog_id): encode_generation(generation)}
        for device in self._meeting.writable:
            bare = without_tombstone(device.names, states)
            tombs = {tombstone_name(found): encode_tombstone(found, generation.catalog_id) for found in bare}
            marked = [row for row in catalog.marks.unwritten(device.row.pool_id) if row.state == "sealed"]
            marks = marks_for(marked, device.device_id, generation.catalog_id)
            if self._work.put(device, files | tombs | marks):
                if self._work.is_well(device):
                    record_marks(catalog, marked, [device.device_id])
            else:
                self._session.observer.note(f"device {device.name} has no room for tombstones yet")

    def _empty(self) -> list[str]:
        """The forgotten snapshots that nothing needs."""
        forgotten = self._catalog.snapshots.all("forgotten")
        return [row.snapshot_id for row in forgotten if self._catalog.remains.is_empty(row.snapshot_id)]

    def _gather(self) -> bool:
        """Whether what many forgotten snapshots lend has been gathered in one manifest."""
        lenders = defaultdict[str, list[SnapshotRow]](list)
        kept = parents_of(self._catalog.snapshots.all("open"))
        for row in self._catalog.snapshots.all("forgotten"):
            if row.snapshot_id not in kept and not self._catalog.remains.is_empty(row.snapshot_id):
                lenders[row.pool_id].append(row)
        gathered = [gather(self._session, self._meeting, rows) for rows in lenders.values()]
        return any(gathered)

    def _delete_files(self, emptied: list[str]) -> None:
        states = self._catalog.snapshots.states()
        self._work.delete_files(
            {device.name: files_to_delete(device.names, states, emptied) for device in self._meeting.writable}
        )

    def _delete_doomed(self) -> None:
        doomed = {device.name: self._catalog.doomed.on(device.device_id) for device in self._meeting.writable}
        sizes = {found.object_id: found.bytes_stored for rows in doomed.values() for found in rows}
        self._bytes_total = sum(sizes.values())

        def on_gone(device: PrunedDevice, object_ids: set[str]) -> None:
            self._catalog.doomed.remove(device.device_id, object_ids)
            self._tell_progress(sum(sizes[object_id] for object_id in object_ids))

        self._work.delete_objects({name: [row.object_id for row in rows] for name, rows in doomed.items()}, on_gone)

    def _delete_orphans(self) -> None:
        orphans = find_orphans(self._session, self._meeting)
        self._bytes_total += sum(found.bytes_stored for rows in orphans.values() for found in rows)
        sizes = {found.object_id: found.bytes_stored for rows in orphans.values() for found in rows}

        def on_gone(_device: PrunedDevice, object_ids: set[str]) -> None:
            self._tell_progress(sum(sizes[object_id] for object_id in object_ids))

        self._work.delete_objects({name: [row.object_id for row in rows] for name, rows in orphans.items()}, on_gone)

    def _let_go(self, emptied: list[str]) -> None:
        """Forget, with their tombstones, the snapshots of which no device has anything any more."""
        rows = {row.snapshot_id: row for row in self._catalog.snapshots.all("forgotten")}
        gone = [rows[found] for found in emptied if found in rows and self._is_gone(rows[found])]
        for device in self._meeting.writable:
            tombs = [tombstone_name(row.snapshot_id) for row in gone]
            self._work.delete_files({device.name: [name for name in tombs if name in device.names]})
        left = set().union(*(files_by_snapshot(device.names) for device in self._meeting.devices))
        for row in gone:
            if row.snapshot_id not in left:
                self._catalog.remains.drop(row.snapshot_id)

    def _is_gone(self, row: SnapshotRow) -> bool:
        """Whether no device of its pool has anything of it but a tombstone; lost devices do not count."""
        clean = [
            device.device_id
            for device in self._meeting.writable
            if self._work.is_well(device) and not left_of(device.names, row.snapshot_id)
        ]
        gone_from = {*row.gone_from, *clean}
        self._catalog.remains.set_gone_from(row.snapshot_id, gone_from)
        of_pool = self._catalog.devices.all(row.pool_id)
        return {device.device_id for device in of_pool if device.state != "lost"} <= gone_from

    def _tell_progress(self, bytes_count: int) -> None:
        self._bytes_done += bytes_count
        self._session.observer.progress(
            Progress(phase="pruning", bytes_total=self._bytes_total, bytes_done=self._bytes_done)
        )


def _would_be_empty(catalog: Catalog, parts: frozenset[bytes], segment_ids: frozenset[str]) -> list[str]:
    """The forgotten snapshots that nothing will need."""
    unneeded: list[str] = []
    for row in catalog.snapshots.all("forgotten"):
        indexed, brought = catalog.garbage.indexed_by(row.snapshot_id), catalog.trees.packed(row.snapshot_id)
        if parts.isdisjoint(brought) and segment_ids.isdisjoint(indexed):
            unneeded.append(row.snapshot_id)
    return unneeded
