"""A check: do the devices hold what the snapshots need?"""

from __future__ import annotations

import base64
import random
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from blake3 import blake3

from producer.catalog.holders import by_segment, ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.trees import Tree
from producer.catalog.untaken import untaken
from producer.listing.entry import NOT_STORED
from producer.listing.stored_ranges import without
from producer.manifest import ManifestHead, decode_head, head_name
from producer.observer import Observer, Progress, Trouble
from producer.pool.damage import refresh_damage
from producer.pool.present import present_devices
from producer.pool.unknown_snapshots import find_snapshot, tell_unknown_snapshots
from producer.requests import CheckRequest
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.session import RunNeeds, RunSession, open_session
from producer.run.wave import run_wave
from producer.summaries import CheckSummary
from tasks.errors import SegfleetError
from tasks.orders import GetManifest, Order, VerifySegments
from tasks.receipts import Receipt

#: Segments in one order.  Structure takes a worker a millisecond a segment; data is read at disk speed, and the
#: progress moves with each receipt.
_STRUCTURE_COUNT = 64
_DATA_COUNT = 1


def check(request: CheckRequest, observer: Observer, environment: Environment) -> CheckSummary:
    """Check one snapshot, or all: every segment, every manifest, on the devices that are there.

    Reports damage to the observer, with the files it affects (exit code 3).  Changes nothing on the devices; the
    catalog remembers which objects are damaged, for the next backup to heal.
    """
    with open_session(RunNeeds(devices=request.devices, purpose="check"), observer, environment) as session:
        return recorded(session, "check", "", _Check(session, request).run)


class _Check:
    def __init__(self, session: RunSession, request: CheckRequest) -> None:
        self._session = session
        self._request = request
        self._started_s = time.monotonic()
        self._present: dict[str, str] = {}
        #: By object and device.
        self._objects: dict[tuple[str, str], StoredObject] = {}
        self._trees: dict[str, Tree] = {}
        #: Segment → the first of the snapshots that needs it.
        self._needed_by: dict[str, str] = {}
        self._segments_count = self._bytes_read = self._errors_count = self._bytes_total = 0

    def run(self) -> CheckSummary:
        catalog, name = self._session.catalog, self._request.snapshot
        snapshots = catalog.snapshots.all() if name is None else [find_snapshot(self._session, name)]
        self._session.begin_reading([snapshot.snapshot_id for snapshot in snapshots])
        self._trees = {snapshot.snapshot_id: catalog.trees.of(snapshot.snapshot_id) for snapshot in snapshots}
        self._present = present_devices(self._session, snapshots)
        unknown_count = tell_unknown_snapshots(self._session, self._present)
        if name is None and unknown_count:
            # Nobody can say whether they are whole.
            self._errors_count += 1
        for snapshot in snapshots:
            self._check_manifests(snapshot)
            self._tell_omitted(snapshot)
            self._tell_untaken(snapshot)
        self._choose_segments()
        self._verify_segments()
        if not catalog.why_read_only:
            refresh_damage(catalog)
        return CheckSummary(
            snapshots=len(snapshots),
            segments=self._segments_count,
            bytes_read=self._bytes_read,
            errors=self._errors_count,
            duration_s=round(time.monotonic() - self._started_s, 3),
            exit_code=3 if self._errors_count else 0,
        )

    # ---- manifests

    def _check_manifests(self, snapshot: SnapshotRow) -> None:
        """Every device that took part in the snapshot and is there must have its manifest, whole.

        Asks all devices of the pool: those without segments get manifests too.  A device without one was away when the
        snapshot was sealed, or joined the pool later; that is no damage while another device has it.
        """
        heads: dict[str, ManifestHead] = {}
        without: dict[str, str] = {}

        def take_head(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None and receipt.failure.code == "no-such-manifest":
                without[order.device] = receipt.failure.message
                return
            try:
                heads[order.device] = _head(receipt, snapshot)
            except SegfleetError as error:
                self._tell("manifest", f"device {order.device}: manifest of {snapshot.snapshot_id[:8]}: {error}")

        name, devices = head_name(snapshot.snapshot_id), self._devices_of_pool(snapshot)
        if not devices:
            self._tell("device-absent", f"no device of the pool of {snapshot.snapshot_id[:8]} is there")
        orders = {device: [self._get(device, name)] for device in devices}
        self._report_deaths(run_wave(self._session, orders, take_head))
        self._tell_without_manifest(without, heads)
        self._check_parts(heads)

    def _tell_without_manifest(self, without: Mapping[str, str], heads: Mapping[str, ManifestHead]) -> None:
        """An error if no device has it, else a note about those that took part."""
        took_part = {device.device_id for head in heads.values() for device in head.devices}
        for device, message in without.items():
            if not heads:
                self._tell("manifest", message)
            elif self._device_id(device) in took_part:
                self._session.observer.note(f"{message}; device {', '.join(heads)} has it")

    def _check_parts(self, heads: Mapping[str, ManifestHead]) -> None:
        digests = {(device, part.name): part.blake3 for device, head in heads.items() for part in head.parts}
        asked: dict[str, str] = {}

        def take_part(order: Order, receipt: Receipt) -> None:
            part = asked[order.order_id]
            try:
                if blake3(_data(receipt)).hexdigest() != digests[order.device, part]:
                    raise SegfleetError("is damaged")
            except SegfleetError as error:
                self._tell("manifest", f"device {order.device}: manifest part {part}: {error}")

        def orders_for(device: str, head: ManifestHead) -> Iterator[Order]:
            for part in head.parts:
                order = self._get(device, part.name)
                asked[order.order_id] = part.name
                yield order

        orders = {device: orders_for(device, head) for device, head in heads.items()}
        self._report_deaths(run_wave(self._session, orders, take_part, window_count=4))

    def _get(self, device: str, name: str) -> GetManifest:
        return GetManifest(order_id=uuid.uuid4().hex, name=name, **self._order_fields(device))

    def _devices_of_pool(self, snapshot: SnapshotRow) -> list[str]:
        """The devices that are there, of those to which the snapshot's manifest may have gone."""
        rows = self._session.catalog.devices.all(snapshot.pool_id)
        return sorted(self._present[row.device_id] for row in rows if row.device_id in self._present)

    def _tell_untaken(self, snapshot: SnapshotRow) -> None:
        """Name what the backup could not take."""
        for row in untaken(self._session.catalog.troubles.all(snapshot.snapshot_id), snapshot.sources):
            of = {"path": row.path, "snapshot_id": snapshot.snapshot_id}
            self._tell("not-stored", f"the backup could not take it as a whole: {row.message}", **of)

    # ---- segments

    def _tell_omitted(self, snapshot: SnapshotRow) -> None:
        for batch in self._trees[snapshot.snapshot_id].batches() if snapshot.has_omitted else ():
            for name, (code, why) in batch.unread.items():
                if code == NOT_STORED:
                    path = f"{batch.source}/{batch.prefix}{name}"
                    self._tell(code, why, path=path, snapshot_id=snapshot.snapshot_id)

    def _choose_segments(self) -> None:
        for snapshot_id, tree in self._trees.items():
            for segment_id in tree.parts_of_segments:
                self._needed_by.setdefault(segment_id, snapshot_id)
        index = self._session.catalog.objects.of(self._needed_by)
        rows = list(chain.from_iterable(index[key] for key in self._needed_by if key in index))
        if self._request.subset is not None:
            part, parts = self._request.subset
            rows = rows[part - 1 :: parts]
        elif self._request.share is not None and rows:
            rows = random.sample(rows, max(1, round(len(rows) * self._request.share)))
        self._objects = {row.key: row for row in rows}
        self._bytes_total = sum(row.bytes_stored for row in rows)

    def _verify_segments(self) -> None:
        by_device: dict[str, list[StoredObject]] = {name: [] for name in self._present.values()}
        for row in self._objects.values():
            device = self._present.get(row.device_id)
            if device is not None:
                by_device[device].append(row)
        self._tell_absent()
        orders = {device: self._verify_orders(device, rows) for device, rows in by_device.items()}
        self._report_deaths(run_wave(self._session, orders, self._take_verdict))

    def _tell_absent(self) -> None:
        """Report what lies on devices that are not there, and on no other."""
        for objects in by_segment(self._objects.values()).values():
            there = ranges_of(one for one in objects if one.device_id in self._present)
            for one in objects:
                ranges = () if one.device_id in self._present else tuple(without(one.ranges, there))
                for snapshot_id in self._trees if ranges else ():
                    if self._paths(one, ranges, snapshot_id):
                        message = f"its device {one.device} is not there"
                        self._tell_object(one, "device-absent", message, ranges, snapshot_id)
                        break

    def _verify_orders(self, device: str, rows: Iterable[StoredObject]) -> Iterator[Order]:
        count = _DATA_COUNT if self._request.read_data else _STRUCTURE_COUNT
        pending = iter(rows)
        while batch := list(islice(pending, count)):
            yield VerifySegments(
                order_id=uuid.uuid4().hex,
                object_ids=tuple(row.object_id for row in batch),
                stored_bytes=tuple(row.bytes_stored for row in batch),
                trailer_digests=tuple(row.proof for row in batch),
                read_data=self._request.read_data,
                **self._order_fields(device),
            )

    def _take_verdict(self, order: Order, receipt: Receipt) -> None:
        assert isinstance(order, VerifySegments)
        if receipt.failure is not None:
            for object_id in order.object_ids:
                self._tell_object(
                    self._objects[object_id, order.device_id], receipt.failure.code, receipt.failure.message
                )
            return
        self._segments_count += receipt.result.segments_count
        # More than is stored can only be what others have appended.
        self._bytes_read += min(receipt.result.bytes_read, sum(order.stored_bytes))
        for finding in receipt.result.findings:
            row = self._objects[finding.object_id, order.device_id]
            self._tell_object(row, finding.code, finding.message, finding.ranges)
        self._remember(order, {finding.object_id for finding in receipt.result.findings})
        self._session.observer.progress(
            Progress(phase="checking", bytes_total=self._bytes_total, bytes_done=self._bytes_read)
        )

    def _remember(self, order: VerifySegments, damaged: Collection[str]) -> None:
        """The next backup heals what is damaged or missing.  Only who reads all of an object sees that it is sound.

        A catalog that cannot be written now learns it at the next check.
        """
        catalog, found = self._session.catalog, dict[StoredObject, bool]()
        for object_id in order.object_ids:
            row = self._objects[object_id, order.device_id]
            is_damaged = object_id in damaged or (row.is_damaged and not order.read_data)
            if is_damaged != row.is_damaged:
                found[row] = is_damaged
        if found and not catalog.why_read_only:
            with catalog.transaction():
                for row, is_damaged in found.items():
                    catalog.objects.mark(*row.key, is_damaged=is_damaged)

    # ---- reports

    def _tell_object(
        self,
        row: StoredObject,
        code: str,
        message: str,
        ranges: tuple[tuple[int, int], ...] = (),
        snapshot_id: str = "",
    ) -> None:
        """Report the object once, then each of its files that the damage affects."""
        snapshot_id = snapshot_id or self._needed_by[row.segment_id]
        of = {"snapshot_id": snapshot_id, "device": row.device}
        self._tell(code, f"object {row.object_id} on device {row.device}: {message}", **of)
        for path in self._paths(row, ranges, snapshot_id):
            self._session.observer.trouble(Trouble(code=code, message=f"in object {row.object_id}", path=path, **of))

    def _paths(self, row: StoredObject, ranges: tuple[tuple[int, int], ...], snapshot_id: str) -> list[str]:
        """The files whose extents meet one of the damaged ranges of the stream; all of them without ranges."""
        tree, paths = self._trees[snapshot_id], dict[str, None]()
        for batch, at, place in tree.files_in([row.segment_id]):
            start, stop = place.stream_offset_bytes, place.stream_offset_bytes + place.size_bytes
            if not ranges or any(start < offset + size and offset < stop for offset, size in ranges):
                path = batch.path_at(at)
                paths[f"{batch.source}/{path}" if path else batch.source] = None
        return list(paths)

    def _report_deaths(self, died: Mapping[str, str]) -> None:
        for device, why in died.items():
            self._tell("device-dead", f"device {device}: {why}; what it holds was not checked to the end")

    def _tell(self, code: str, message: str, **of: str) -> None:
        """``of``: the path, snapshot and device that it is about."""
        self._errors_count += 1
        self._session.observer.trouble(Trouble(code=code, message=message, **of))

    def _order_fields(self, device: str) -> dict[str, Any]:
        return self._session.order_fields(device, device_id=self._device_id(device))

    def _device_id(self, device: str) -> str:
        return next(device_id for device_id, name in self._present.items() if name == device)


def _head(receipt: Receipt, snapshot: SnapshotRow) -> ManifestHead:
    """Raises SegfleetError, before it decodes it, unless it is the head that the snapshot was sealed with."""
    data = _data(receipt)
    if blake3(data).digest() != snapshot.head_digest:
        raise SegfleetError("it is not what was written there")
    return decode_head(data)


def _data(receipt: Receipt) -> bytes:
    if receipt.failure is not None:
        raise SegfleetError(receipt.failure.message)
    return base64.b64decode(receipt.result.data_base64)
