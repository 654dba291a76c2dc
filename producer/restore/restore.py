"""A restore: every wanted byte, from all devices at once, into the target.

The waves are those of :mod:`producer.restore.plan`.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from producer.catalog.tables.segments.rows import SegmentRow
from producer.observer import DeviceProgress, Observer, Progress, Trouble
from producer.pool.present import present_devices
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.holes import Hole, Holes
from producer.restore.plan import Pick, RestorePlan
from producer.restore.selection import Selection
from producer.restore.wanted import Wanted, find_wanted
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.session import RunNeeds, RunSession, open_session
from producer.run.threads import default_threads
from producer.run.wave import run_wave
from producer.summaries import RestoreSummary
from tasks.errors import DeviceError, InterruptedRun, SegfleetError, UsageError
from tasks.orders import Order, RestoreEntries, RestoreSegment, TargetEntry
from tasks.receipts import PathTrouble, Receipt, RestoreResult

_AGAIN = "run the restore again with --overwrite if-changed"

#: Entries in one order: 2,000 take a worker some 50 ms and 300 KB in the broker.
_ENTRIES_COUNT = 2000


def restore(request: RestoreRequest, observer: Observer, environment: Environment) -> RestoreSummary:
    """Restore what the request names.  What cannot be restored is reported to the observer (exit code 3).

    Raises SegfleetError: an unknown snapshot or path, a target that is not empty, no device, a target that fails.
    """
    return run_restore(request, observer, environment, lambda session: RestoreRun(session, request))


def run_restore(
    request: RestoreRequest, observer: Observer, environment: Environment, make_run: Callable[[RunSession], RestoreRun]
) -> RestoreSummary:
    """Open a session for the request, run in it what ``make_run`` makes, and record the run in the history."""
    started_s = time.monotonic()
    with open_session(
        RunNeeds(
            devices=request.devices, targets={request.target_name: request.target}, purpose="restore", nice=request.nice
        ),
        observer,
        environment,
    ) as session:
        _refuse_a_path_for_agents(session, request)
        try:
            return recorded(session, "restore", "", lambda: make_run(session).run(started_s))
        except InterruptedRun as error:
            error.hint = f"to continue, {_AGAIN}"
            raise


def _refuse_a_path_for_agents(session: RunSession, request: RestoreRequest) -> None:
    """Raises UsageError: agents write to the folders of their own configuration only."""
    shared = [name for name in session.courier.live if session.fleet.is_shared(name)]
    if shared and request.target_name == UNNAMED_TARGET:
        raise UsageError(
            f"--target {request.target} is a path, and agents serve device {shared[0]}: they restore to named folders",
            hint="add [targets.NAME] to the configuration of every agent, and give --target NAME",
        )


class RestoreRun:
    """One restore; ``selection`` replaces what the request says about the wanted entries."""

    def __init__(self, session: RunSession, request: RestoreRequest, selection: Selection | None = None) -> None:
        self._session = session
        self._request = request
        self._snapshot = session.catalog.snapshots.find(request.snapshot)
        selection = selection or Selection.of(request.path, request.include, request.exclude)
        self._wanted: Wanted = find_wanted(
            session.catalog, self._snapshot.snapshot_id, selection, may_lack_parts=request.skip_damaged
        )
        self._plan = RestorePlan(session.catalog, self._snapshot, selection, self._wanted)
        #: Device id → name, of the devices that are there.
        self._present: dict[str, str] = {}
        self._holes = Holes(keep=request.skip_damaged)
        #: Segment orders without a receipt; those of a device that dies are lost.
        self._unanswered: dict[str, RestoreSegment] = {}
        #: Paths in the target of files that the restore has not put there.
        self._not_restored: set[str] = set()
        #: Hard links to files that were kept and are not those of the snapshot.
        self._unlinked: list[TargetEntry] = []
        self._is_preparing = False
        self._told: set[tuple[str, str, str]] = set()
        self._files_count = self._bytes_count = self._skipped_count = 0

    def run(self, started_s: float) -> RestoreSummary:
        self._present = present_devices(self._session, [self._snapshot])
        self._make_target()
        self._tell_what_was_not_stored()
        self._leave_out_what_is_lost()
        if self._request.overwrite is not None:
            self._order_entries(self._plan.directories_to_make(), devices_count=1, sweep=True)
        plan = self._plan
        self._restore_files()
        self._order_entries(self._hard_links())
        self._restore_unlinked()
        self._order_entries(plan.directories(), devices_count=1)
        self._tell_progress()
        return self._summary(started_s)

    def _restore_files(self) -> None:
        self._prepare_pieced_files()
        self._restore_segments()
        self._order_entries(self._plan.without_data())
        self._order_entries(self._finished_files())

    def _restore_unlinked(self) -> None:
        """Of the hard links to a file of the snapshot that an older one stands for, the first gets the data."""
        if not self._unlinked:
            return
        places: dict[str, str] = {}
        for entry in self._unlinked:
            places.setdefault(entry.link, entry.path)
        others = [replace(link, link=places[link.link]) for link in self._unlinked if link.path not in places.values()]
        self._plan = self._plan.with_places(places)
        self._restore_files()
        self._order_entries(link for link in others if link.link not in self._not_restored)

    def _summary(self, started_s: float) -> RestoreSummary:
        return RestoreSummary(
            snapshot_id=self._snapshot.snapshot_id,
            files=self._files_count,
            bytes_restored=self._bytes_count,
            skipped=self._skipped_count,
            errors=len(self._told),
            duration_s=round(time.monotonic() - started_s, 3),
            exit_code=3 if self._told else 0,
        )

    # ---- segments

    def _tell_what_was_not_stored(self) -> None:
        for path, holes in self._plan.not_stored().items():
            for hole in holes:
                self._lose(path, hole.offset_bytes, hole.size_bytes, "not-stored", hole.why)

    def _leave_out_what_is_lost(self) -> None:
        """Report what lies on devices that are not there.

        A pieced file that lacks a piece is not restored at all, unless files with holes are wanted.
        """
        lost: set[int] = set()
        for row in self._plan.segments():
            if row.device_id not in self._present:
                for pick in self._plan.picks(row):
                    why = f"it lies on device {row.device}, which is not there"
                    self._lose(pick.path, pick.offset_bytes, pick.size_bytes, "device-absent", why)
                    if not (self._request.skip_damaged and pick.entry in self._wanted.pieced):
                        lost.add(pick.entry)
                        self._not_restored.add(pick.path)
        self._plan.left_out |= lost

    def _restore_segments(self) -> None:
        orders = {name: self._segment_orders(device_id) for device_id, name in self._present.items()}
        died = run_wave(self._session, orders, self._take, on_wait=self._tell_progress)
        for device, why in died.items():
            unanswered = [order for order in self._unanswered.values() if order.device == device]
            for order in itertools.chain(unanswered, orders[device]):
                self._lose_order(order, "device-dead", f"device {device} died: {why}")

    def _segment_orders(self, device_id: str) -> Iterator[RestoreSegment]:
        for row in self._plan.segments(device_id):
            picks = self._plan.picks(row)
            if picks:
                order = self._segment_order(row, picks, device_id)
                self._unanswered[order.order_id] = order
                yield order

    def _segment_order(self, row: SegmentRow, picks: list[Pick], device_id: str) -> RestoreSegment:
        _, paths, stream_offsets_bytes, offsets_bytes, sizes_bytes, metadata = zip(*picks, strict=True)
        return RestoreSegment(
            order_id=uuid.uuid4().hex,
            segment_id=row.segment_id,
            trailer_digest=row.proof,
            target=self._request.target_name,
            paths=paths,
            stream_offsets_bytes=stream_offsets_bytes,
            offsets_bytes=offsets_bytes,
            sizes_bytes=sizes_bytes,
            metadata=metadata,
            overwrite=self._request.overwrite or "always",
            threads=self._request.threads or default_threads(len(self._present)),
            unproved=self._request.skip_damaged,
            **self._session.order_fields(self._present[device_id], device_id=device_id),
        )

    # ---- entries

    def _make_target(self) -> None:
        """Make the target; raises SegfleetError when it must be empty and is not, or no device is left to make it."""
        died: dict[str, str] = {}
        itself = tuple(filter(None, [self._plan.target_itself()]))
        for device_id, device in self._present.items():
            is_new = self._request.overwrite is None
            order = self._entries_order(device, device_id, itself, must_be_empty=is_new, sweep=not is_new)
            why = run_wave(self._session, {device: [order]}, self._take)
            if not why:
                live = self._session.courier.live
                self._present = {key: name for key, name in self._present.items() if name in live}
                return
            died |= why
        raise DeviceError("no device is left: " + "; ".join(f"{device}: {why}" for device, why in died.items()))

    def _prepare_pieced_files(self) -> None:
        """Those that cannot be written, as those that are kept, are left out from here on."""
        self._is_preparing = True
        self._order_entries(self._plan.pieced_files(finish=False))
        self._is_preparing = False

    def _finished_files(self) -> Iterator[TargetEntry]:
        for entry in self._holes.finish(self._plan.pieced_files(finish=True)):
            if entry.kind == "absent":
                self._not_restored.add(entry.path)
            yield entry

    def _hard_links(self) -> Iterator[TargetEntry]:
        """Those of files that were not restored are told: what is in their place is older."""
        for entry in self._plan.hard_links():
            if entry.link not in self._not_restored:
                yield entry
            else:
                self._tell(entry.path, "missing", f"the file that it links to was not restored: {entry.link}")

    def _order_entries(
        self, entries: Iterator[TargetEntry], *, devices_count: int | None = None, sweep: bool = False
    ) -> None:
        """One wave of entries, divided among the workers: any of them can write to the target."""
        live = [(device_id, name) for device_id, name in self._present.items() if name in self._session.courier.live]
        if not live:
            raise DeviceError("no device is left, so folders and links cannot be made", hint=_AGAIN)

        def share(device_id: str, device: str) -> Iterator[Order]:
            while batch := tuple(islice(entries, _ENTRIES_COUNT)):
                yield self._entries_order(device, device_id, batch, sweep=sweep)

        orders = {name: share(device_id, name) for device_id, name in live[:devices_count]}
        for device, why in run_wave(self._session, orders, self._take, on_wait=self._tell_progress).items():
            raise SegfleetError(
                f"device {device} died while entries were made: {why}",
                hint=_AGAIN,
            )

    def _entries_order(
        self,
        device: str,
        device_id: str,
        entries: tuple[TargetEntry, ...],
        *,
        must_be_empty: bool = False,
        sweep: bool = False,
    ) -> RestoreEntries:
        return RestoreEntries(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            entries=entries,
            overwrite=self._request.overwrite or "always",
            must_be_empty=must_be_empty,
            sweep=sweep,
            **self._session.order_fields(device, device_id=device_id),
        )

    # ---- receipts

    def _take(self, order: Order, receipt: Receipt) -> None:
        self._unanswered.pop(order.order_id, None)
        if receipt.failure is None:
            self._take_result(order, receipt.result)
        elif receipt.failure.code in ("target", "target-not-empty") or not isinstance(order, RestoreSegment):
            # Everything that follows would fail too.
            error = SegfleetError(receipt.failure.message, hint=receipt.failure.hint)
            error.code = receipt.failure.code
            raise error
        else:
            self._lose_order(order, receipt.failure.code, receipt.failure.message)

    def _take_result(self, order: Order, result: RestoreResult) -> None:
        self._files_count += result.files_count
        self._bytes_count += result.bytes_restored
        self._skipped_count += result.skipped_count
        unlinked = {trouble.path for trouble in result.troubles if trouble.code == "other-file"}
        if isinstance(order, RestoreEntries) and unlinked:
            self._unlinked += [entry for entry in order.entries if entry.path in unlinked]
        for trouble in result.troubles:
            if trouble.path not in unlinked:
                self._take_trouble(trouble)

    def _take_trouble(self, trouble: PathTrouble) -> None:
        if trouble.code == "skipped":
            self._plan.leave_out(trouble.path)
        elif trouble.size_bytes > 0:
            self._lose(trouble.path, trouble.offset_bytes, trouble.size_bytes, trouble.code, trouble.message)
        else:
            self._tell(trouble.path, trouble.code, trouble.message)
            if trouble.size_bytes < 0:
                self._give_up(trouble.path)

    def _give_up(self, path: str) -> None:
        self._not_restored.add(path)
        if self._is_preparing:
            self._plan.leave_out(path)

    def _lose_order(self, order: RestoreSegment, code: str, why: str) -> None:
        rows = zip(order.paths, order.offsets_bytes, order.sizes_bytes, order.metadata, strict=True)
        for path, offset, size, metadata in rows:
            self._lose(path, offset, size, code, why)
            if metadata:
                self._not_restored.add(path)

    def _lose(self, path: str, offset_bytes: int, size_bytes: int, code: str, why: str) -> None:
        """Record that a range of a file cannot be restored."""
        hole = Hole(offset_bytes=offset_bytes, size_bytes=size_bytes, why=why)
        self._holes.add(path, hole)
        self._tell(path, code, str(hole))

    def _tell(self, path: str, code: str, message: str) -> None:
        if (path, code, message) not in self._told:
            self._told.add((path, code, message))
            self._session.observer.trouble(Trouble(code=code, message=message, path=path))

    def _tell_progress(self) -> None:
        courier = self._session.courier
        devices = {
            name: DeviceProgress(
                bytes_planned=0,
                bytes_done=courier.watch.bytes_moved(name),
                segments_planned=0,
                segments_done=0,
                state="live" if name in courier.live else "dead",
            )
            for name in self._present.values()
        }
        under_way = sum(device.bytes_done for device in devices.values())
        self._session.observer.progress(
            Progress(
                phase="restoring",
                files_count=self._wanted.files_count,
                bytes_total=self._wanted.bytes_total,
                bytes_done=min(max(self._bytes_count, under_way), self._wanted.bytes_total),
                devices=devices,
            )
        )
