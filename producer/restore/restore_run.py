"""A restore: every wanted byte, from all devices at once, into the target.

The waves are those of :mod:`producer.restore.planning.plan`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from producer.pool.manifests.unknown_snapshots import find_snapshot, tell_unknown_snapshots
from producer.pool.parity.group_reads import GroupReads
from producer.pool.present import present_devices
from producer.requests import RestoreRequest
from producer.restore.deleting import Deleting
from producer.restore.entry_waves import EntryWaves
from producer.restore.missing import leave_out_what_is_absent, tell_what_was_not_stored
from producer.restore.orders import RestoreOrders, batches, surplus_entry
from producer.restore.outcome.failed import failed
from producer.restore.outcome.outcome import Outcome
from producer.restore.planning.plan import RestorePlan
from producer.restore.planning.selection import Selection
from producer.restore.progress import restore_progress
from producer.restore.segments.verifying import Verifying
from producer.restore.segments.waves import OF_TARGET, SegmentWaves
from producer.restore.unlinked import Unlinked, in_place_of_links
from producer.run.session import RunSession
from producer.summaries import RestoreSummary
from tasks.orders import KEEP_OTHERS, Order, RestoreEntries, RestoreSegment, TargetEntry
from tasks.orders.target_looks import PreviewEntries
from tasks.receipts import PathTrouble, Receipt, RestoreResult
from tasks.sources.metadata import OwnerNames


class RestoreRun:
    """One restore; ``selection`` replaces what the request says about the wanted entries."""

    #: Whether a file that lacks a part is restored without it, whatever the request says.
    _always_with_holes = False

    def __init__(self, session: RunSession, request: RestoreRequest, selection: Selection | None = None) -> None:
        self._session = session
        self._request = request
        self._snapshot = find_snapshot(session, request.snapshot)
        session.begin_reading([self._snapshot.snapshot_id])
        selection = selection or Selection.of(request.path, request.include, request.exclude)
        may_lack_parts = request.skip_damaged or self._always_with_holes
        self._plan = RestorePlan(session.catalog, self._snapshot, selection, may_lack_parts=may_lack_parts)
        self._wanted = self._plan.wanted
        self._selection = selection
        #: The plan, and those for hard links that could not be made.
        self._plans = [self._plan]
        #: What has file flags in the snapshot, is there already, and stays.
        self._flagged_others: set[str] = set()
        #: Files of several segments that ``overwrite`` has kept.
        self._kept: list[str] = []
        owner_names = OwnerNames() if request.numeric_ids else self._snapshot.owner_names
        self._orders = RestoreOrders(session, request, owner_names)
        self._outcome = Outcome(
            session.observer,
            self._snapshot.snapshot_id,
            keep_holes=request.skip_damaged,
            name_of_target=self._name_of_target(),
        )
        self._unlinked = Unlinked()
        self._is_preparing = False
        self._groups = GroupReads(session.catalog)
        self._segments = SegmentWaves(session, self._orders, self._outcome, self._groups)
        self._entries = EntryWaves(session, self._orders, self._take, self._tell_progress)

    @property
    def _present(self) -> dict[str, str]:
        """Device id → name, of the devices that are there."""
        return self._entries.present

    def _name_of_target(self) -> str:
        """What troubles with the target itself name."""
        return ""

    def run(self, started_s: float) -> RestoreSummary:
        self._look_for_devices()
        self._refuse_to_empty_another_folder()
        self._entries.make_target(self._plan.target_itself())
        self._plan.prefer(self._present)
        self._tell_what_is_missing()
        if self._request.overwrite in KEEP_OTHERS:
            self._note_flagged_others()
        if self._request.overwrite is not None:
            self._entries.make(self._plan.directories_to_make(), devices_count=1)
        plan = self._plan
        self._prepare_pieced_files()
        if self._request.overwrite is not None:
            self._sweep()
        self._restore_data()
        self._entries.make(self._restorable(plan.hard_links()))
        self._restore_unlinked()
        self._remove_surplus()
        self._entries.make(plan.directories(), devices_count=1)
        self._verify()
        self._set_flags(plan)
        self._tell_progress()
        return self._outcome.summary(started_s)

    def _look_for_devices(self) -> None:
        self._entries.present = present_devices(self._session, [self._snapshot])
        self._plan.prefer(self._present)
        tell_unknown_snapshots(self._session, self._present)

    def _tell_what_is_missing(self) -> None:
        tell_what_was_not_stored(self._plan, self._outcome)
        leave_out_what_is_absent(self._plan, self._outcome, skip_damaged=self._request.skip_damaged)

    def _verify(self) -> None:
        """What ``if-changed`` has kept counts as restored: its size and time say that it is the same."""
        if self._request.verify:
            for path in self._kept if self._request.overwrite not in KEEP_OTHERS else ():
                self._plans[0].take_back(path)
            verifying = Verifying(self._session, self._orders, self._outcome, self._present, self._groups)
            verifying.run(self._plans, self._tell_progress)

    # ---- surplus

    def _refuse_to_empty_another_folder(self) -> None:
        if self._request.delete:
            self._deleting().refuse_foreign(self._plan.restored_folders())

    def _surplus(self) -> list[tuple[str, bool]]:
        """What ``--delete`` removes, the deepest first, and whether each is a folder."""
        return self._deleting().find(self._plan.restored_folders()) if self._request.delete else []

    def _remove_surplus(self) -> None:
        """Call it once all else is restored: until then, what is there may be all that is left."""
        if self._request.delete and self._outcome.troubles_count:
            self._session.observer.note("nothing is removed, because not everything could be restored; see the errors")
            return
        surplus = (surplus_entry(path) for path, _ in self._surplus())
        self._entries.make(surplus, devices_count=1)

    def _deleting(self) -> Deleting:
        return Deleting(self._session, self._request, self._entries.any_device(), self._selection, self._outcome)

    # ---- flags

    def _set_flags(self, plan: RestorePlan) -> None:
        """Set the flags of all that was restored, but not of what was there already and stays."""
        others = self._outcome.not_restored | self._flagged_others
        self._entries.make((entry for entry in plan.flags() if entry.path not in others), devices_count=1)

    def _note_flagged_others(self) -> None:
        """Ask which files and folders with flags are there already and stay: their flags stay too."""
        device_id, device = self._entries.any_device()
        orders = (
            self._orders.preview(device, device_id, batch, must_be_empty=False)
            for batch in batches(self._plan.flagged())
        )

        def take(order: Order, receipt: Receipt) -> None:
            assert isinstance(order, PreviewEntries)
            if receipt.failure is not None:
                raise failed(receipt.failure)
            fates = zip(order.entries, receipt.result.fates, strict=True)
            self._flagged_others.update(entry.path for entry, fate in fates if fate not in ("new", "replaced"))

        self._entries.run({device: orders}, take)

    def _sweep(self) -> None:
        """Remove what other runs left unfinished, unless this run has claimed it for its own files."""
        device_id, device = self._entries.any_device()
        batched = itertools.chain([()], batches(self._plan.directories_to_make()))
        orders = (self._orders.entries(device, device_id, batch, sweep=True) for batch in batched)
        self._entries.run({device: orders})

    def _restore_data(self) -> None:
        self._restore_segments()
        self._entries.make(self._plan.without_data())
        self._entries.make(self._finished_files())
        self._discard_refused()

    def _restore_unlinked(self) -> None:
        """Of the hard links to one file that were not made, the first gets the data, and the others are linked to it.

        Repeats this while the target's file system takes only a few links at a time.
        """
        while links := self._unlinked.all():
            self._outcome.unsupported["hard-link"] += len({link.link for link in self._unlinked.too_many})
            self._unlinked = Unlinked()
            self._restore_linked_to_first(links)
            for link in self._unlinked.other_file:
                message = f"not linked to {link.link}: its metadata could not be restored"
                self._outcome.tell(link.path, "missing", message, is_lost=False)
            self._unlinked.other_file.clear()

    def _restore_linked_to_first(self, links: Sequence[TargetEntry]) -> None:
        places, others = in_place_of_links(links)
        self._plan = self._plan.with_places(places)
        self._plans.append(self._plan)
        self._prepare_pieced_files()
        self._restore_data()
        self._entries.make(self._restorable(others))

    def _restore_segments(self) -> None:
        self._segments.run(self._plan, self._present, self._take, self._tell_progress)

    def _prepare_pieced_files(self) -> None:
        """From here on, files that cannot be written are left out, and so are files that are kept."""
        self._is_preparing = True
        claim = self._request.overwrite is not None
        self._entries.make(self._plan.pieced_files(finish=False), claim=claim)
        self._is_preparing = False

    def _finished_files(self) -> Iterator[TargetEntry]:
        for entry in self._outcome.holes.finish(self._plan.pieced_files(finish=True)):
            if entry.kind == "absent":
                self._outcome.not_restored.add(entry.path)
            yield entry

    def _discard_refused(self) -> None:
        """Remove what was written of pieced files that were not restored."""
        refused = self._outcome.not_restored
        files = self._plan.pieced_files(finish=True) if refused else ()
        self._entries.make(replace(file, kind="absent") for file in files if file.path in refused)

    def _restorable(self, links: Iterable[TargetEntry]) -> Iterator[TargetEntry]:
        """The links whose files were restored; reports the others, because an older file is in the place of theirs."""
        for entry in links:
            if entry.link not in self._outcome.not_restored:
                yield entry
            else:
                message = f"the file that it links to was not restored: {entry.link}"
                self._outcome.tell(entry.path, "missing", message)

    # ---- receipts

    def _take(self, order: Order, receipt: Receipt) -> None:
        if isinstance(order, RestoreSegment):
            self._segments.answered(order)
        if receipt.failure is None:
            self._take_result(order, receipt.result)
        elif receipt.failure.code in ("target", "target-not-empty") or not isinstance(order, RestoreSegment):
            # Everything that follows would fail too.
            raise failed(receipt.failure)
        else:
            self._segments.failed(order, receipt.failure)
        if isinstance(order, RestoreSegment):
            self._segments.done(order)

    def _take_result(self, order: Order, result: RestoreResult) -> None:
        self._outcome.count(result)
        unlinked = self._unlinked.take(order, result) if isinstance(order, RestoreEntries) else set()
        elsewhere = self._segments.asked_elsewhere(order, result) if isinstance(order, RestoreSegment) else set()
        for trouble in result.troubles:
            if trouble.path not in unlinked and trouble.path not in elsewhere:
                self._take_trouble(trouble, order.device if isinstance(order, RestoreSegment) else "")

    def _take_trouble(self, trouble: PathTrouble, device: str) -> None:
        """``device`` holds the segment."""
        of: dict[str, Any] = {"device": device, "is_lost": trouble.code not in OF_TARGET}
        if trouble.code == "skipped":
            self._plan.leave_out(trouble.path)
            self._kept.append(trouble.path)
        elif trouble.size_bytes > 0:
            offset_bytes, size_bytes = trouble.offset_bytes, trouble.size_bytes
            self._outcome.lose(trouble.path, offset_bytes, size_bytes, trouble.code, trouble.message, **of)
        else:
            self._outcome.tell(trouble.path, trouble.code, trouble.message, **of)
            if trouble.size_bytes < 0:
                self._give_up(trouble.path)

    def _give_up(self, path: str) -> None:
        self._outcome.not_restored.add(path)
        if self._is_preparing:
            self._plan.leave_out(path)

    def _tell_progress(self) -> None:
        progress = restore_progress(self._session, self._wanted, self._present.values(), self._outcome.bytes_count)
        self._session.observer.progress(progress)
