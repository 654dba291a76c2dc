"""The steps of a prune.

::

    decide         in one transaction that survives a power cut: what nothing needs leaves the catalog, and is doomed
    bury           tombstones and the new generation on every device
    delete_files   heads of forgotten snapshots, their other files, claims that have ended
    delete_objects doomed objects; objects that no index knows of snapshots that this catalog has begun and ended
    regroup        groups of parity that are small or hold what is dead are made anew, and what they alone kept goes
    repack         what is needed of objects that are mostly dead is written anew, and the rest goes
    gather         what many forgotten snapshots lend to others is gathered in one manifest
    bury_rest      tombstones on devices that had no room before
    let_go         forget the snapshots of which no device has anything any more

A kill at any point costs space alone, which the next prune gets back.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from producer.catalog.needed import NeededFinder, parents_of
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.unused import Unused
from producer.manifest.tombstones import encode_tombstone, tombstone_name
from producer.observer import Progress
from producer.pool.manifests.marks import marks_for, record_marks
from producer.requests import RepackLimits
from producer.retention.pruning.deciding import doom_unneeded
from producer.retention.pruning.device_files import files_by_snapshot, files_to_delete, left_of, without_tombstone
from producer.retention.pruning.devices import DeviceWork, PrunedDevice
from producer.retention.pruning.gathering import gather
from producer.retention.pruning.meeting import meet, tell_where_nothing_goes
from producer.retention.pruning.orphans import find_orphans
from producer.retention.pruning.regrouping import regroup
from producer.retention.pruning.repacking.planned import by_pool
from producer.retention.pruning.repacking.repack import Repacking
from producer.retention.pruning.report import summary_of
from producer.run.session import RunSession
from producer.summaries import PruneSummary
from tasks.generations import encode_generation, generation_name

#: In this order; a test ends the process between any two of them.
STEPS = ("decide", "bury", "delete_files", "delete_objects", "regroup", "repack", "gather", "bury_rest", "let_go")


class Prune:
    """One prune.  What its steps delete has left the catalog before."""

    def __init__(self, session: RunSession, limits: RepackLimits) -> None:
        self._session = session
        self._catalog = session.catalog
        self._limits = limits
        self._started_s = time.monotonic()
        self._bytes_total = self._bytes_done = 0
        self._finder = NeededFinder(session.catalog)
        #: The ids of the devices that have the generation of this prune.
        self._informed: set[str] = set()
        self._emptied: list[str] = []
        self._bytes_unused: int | None = None

    def run(self) -> PruneSummary:
        """Raises what :func:`producer.retention.pruning.meeting.meet` raises, and InterruptedRun."""
        self._meeting = meet(self._session)
        tell_where_nothing_goes(self._session, self._meeting)
        self._work: DeviceWork = self._meeting.work
        for step in STEPS:
            getattr(self, step)()
        return summary_of(self._session, self._meeting, bytes_unused=self._bytes_unused, started_s=self._started_s)

    def decide(self) -> None:
        """What nothing needs leaves the catalog; from then on nothing can come to need it."""
        doom_unneeded(self._catalog, self._finder)

    def bury(self) -> None:
        """Put tombstones, marks and the generation on the devices."""
        self._generation = self._catalog.generations.raise_()
        self._inform()

    def bury_rest(self) -> None:
        """A device that was full has room now."""
        self._inform()

    def delete_files(self) -> None:
        forgotten = self._catalog.snapshots.all("forgotten")
        self._emptied = [row.snapshot_id for row in forgotten if self._catalog.remains.is_empty(row.snapshot_id)]
        states = self._catalog.snapshots.states()
        self._work.delete_files(
            {device.name: files_to_delete(device.names, states, self._emptied) for device in self._meeting.writable}
        )

    def delete_objects(self) -> None:
        self._delete_doomed()
        orphans = find_orphans(self._session, self._meeting, self._finder.find().referred)
        self._delete(orphans, lambda _device, _gone: None)

    def regroup(self) -> None:
        for devices in by_pool(self._meeting.writable):
            # Where there is little room, a part of the groups at a time: what goes makes room for the next.
            while regroup(self._session, devices, self._finder):
                doom_unneeded(self._catalog, self._finder)
                self._delete_doomed()

    def repack(self) -> None:
        if self._limits.is_unlimited:
            return
        unused, self._bytes_unused, has_formed_groups = Unused(self._catalog, self._finder), 0, False
        for devices in by_pool(self._meeting.writable):
            repacking = Repacking(self._session, self._meeting, unused, devices, self._limits, self._progress)
            self._bytes_total += repacking.bytes_to_write
            repacking.run(self._delete_doomed)
            self._bytes_unused += repacking.bytes_unused
            has_formed_groups |= repacking.has_formed_groups
        if has_formed_groups:
            # They kept what is dead, and are as large as the repacked objects alone made them.
            doom_unneeded(self._catalog, self._finder)
            self.regroup()
            self._delete_doomed()

    def gather(self) -> None:
        """What many forgotten snapshots lend is gathered in one manifest, and their own go."""
        lenders = defaultdict[str, list[SnapshotRow]](list)
        kept = parents_of(self._catalog.snapshots.all("open"))
        for row in self._catalog.snapshots.all("forgotten"):
            if row.snapshot_id not in kept and not self._catalog.remains.is_empty(row.snapshot_id):
                lenders[row.pool_id].append(row)
        gathered = [gather(self._session, self._meeting, rows) for rows in lenders.values()]
        if any(gathered):
            self.delete_files()

    def let_go(self) -> None:
        """Forget, with their tombstones, the snapshots of which no device has anything any more."""
        rows = {row.snapshot_id: row for row in self._catalog.snapshots.all("forgotten")}
        gone = [rows[found] for found in self._emptied if found in rows and self._is_gone(rows[found])]
        tombs = [tombstone_name(row.snapshot_id) for row in gone]
        self._work.delete_files(
            {device.name: [name for name in tombs if name in device.names] for device in self._meeting.writable}
        )
        left = set().union(*(files_by_snapshot(device.names) for device in self._meeting.devices))
        for row in gone:
            if row.snapshot_id not in left:
                self._catalog.remains.drop(row.snapshot_id)

    def _inform(self) -> None:
        """Put on each device what it does not know yet."""
        catalog, generation = self._catalog, self._generation
        states = {row.snapshot_id: row.state for row in catalog.snapshots.all("forgotten")}
        for device in self._meeting.writable:
            bare = without_tombstone(device.names, states)
            files = {tombstone_name(found): encode_tombstone(found, generation.catalog_id) for found in bare}
            if device.device_id not in self._informed:
                files[generation_name(generation.catalog_id)] = encode_generation(generation)
            marked = [row for row in catalog.marks.unwritten(device.row.pool_id) if row.state == "sealed"]
            if self._work.put(device, files | marks_for(marked, device.device_id, generation.catalog_id)):
                if self._work.is_well(device):
                    record_marks(catalog, marked, [device.device_id])
                    self._informed.add(device.device_id)
            else:
                self._session.observer.note(f"device {device.name} has no room for tombstones yet")

    def _delete_doomed(self) -> None:
        doomed = {device.name: self._catalog.doomed.on(device.device_id) for device in self._meeting.writable}
        self._delete(doomed, lambda device, gone: self._catalog.doomed.remove(device.device_id, gone))

    def _delete(
        self, objects: Mapping[str, Sequence[DoomedObject]], on_gone: Callable[[PrunedDevice, Collection[str]], None]
    ) -> None:
        """``objects``: by the name of the device."""
        sizes = {found.object_id: found.bytes_stored for rows in objects.values() for found in rows}
        self._bytes_total += sum(found.bytes_stored for rows in objects.values() for found in rows)

        def gone(device: PrunedDevice, object_ids: set[str]) -> None:
            on_gone(device, object_ids)
            self._progress(sum(sizes[object_id] for object_id in object_ids))

        self._work.delete_objects({name: [row.object_id for row in rows] for name, rows in objects.items()}, gone)

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

    def _progress(self, bytes_count: int) -> None:
        self._bytes_done += bytes_count
        self._session.observer.progress(
            Progress(phase="pruning", bytes_total=self._bytes_total, bytes_done=self._bytes_done)
        )
