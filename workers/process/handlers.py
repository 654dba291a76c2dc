"""Carries out orders: checks that they are for this worker, then calls the code that does the work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.cleaning import (
    ContentsResult,
    DeleteResult,
    DeleteStored,
    DescribeObjects,
    ExamineObjects,
    ListObjects,
    ObjectsResult,
    OriginsResult,
)
from tasks.copying import CopyObject, CopyResult
from tasks.errors import DeviceError, NotADeviceError, OutOfReachError, Reason, SegfleetError
from tasks.groups import DeviceAt, GroupAt
from tasks.orders import (
    AdoptDevice,
    ConfirmEmpty,
    DescribeDevice,
    GetManifest,
    Order,
    PrepareImage,
    PutManifest,
    ReadSegment,
    RestoreEntries,
    RestoreSegment,
    StoreSegment,
    VerifySegments,
)
from tasks.parity import MakeParity, ParityResult
from tasks.receipts import (
    DeviceReport,
    EmptyResult,
    ManifestResult,
    ReadResult,
    Receipt,
    RestoreResult,
    Result,
    StoreResult,
    VerifyResult,
)
from tasks.registry import kind_of
from tasks.repacking import RepackObject, RepackResult
from tasks.target_looks import FindSurplus, PreviewEntries, PreviewResult, SurplusResult
from workers.devices.adopt import adopt
from workers.devices.base import Device
from workers.devices.claims import Claims
from workers.devices.deleting import delete_stored, list_objects
from workers.devices.manifests import generation_on, get_manifest, put_manifest
from workers.devices.registry import open_device
from workers.parity.group_device import GroupDevice
from workers.parity.making import make_parity
from workers.process.delivery import publish_receipt
from workers.process.fence import now_and_then
from workers.progress import WorkerProgress
from workers.restore import (
    StreamRangeReader,
    compare_segment,
    find_surplus,
    preview_entries,
    restore_entries,
    restore_segment,
)
from workers.segments.contents import describe_objects
from workers.segments.copy import copy_object
from workers.segments.origins import examine_objects
from workers.segments.repack import repack_object
from workers.segments.store import store_segment
from workers.segments.verify import verify_segments
from workers.settings import WorkerSettings
from workers.sources.empty_files import confirm_empty
from workers.sources.kept_times import Views
from workers.target.image import prepare_image
from workers.units.buffers import UnitBuffers

log = logging.getLogger("segfleet.handlers")


class NotConfiguredError(SegfleetError):
    """The order names a device, source or target that this worker does not have."""

    code = "not-configured"
    hint = "start the worker with it, or send the order to one that has it"


class DeadlyOrderError(DeviceError):
    """The pool's child died repeatedly over one order: killed for its memory use, or by a fault in a library."""

    code = "deadly"
    hint = "see the worker's log and the kernel's; fewer --threads or a smaller --unit-size take less memory"


#: An order that was begun this often is deadly.  Its message is delivered again after each death of the child.
_MAX_BEGUN_COUNT = 3


def _refuse_none(order: Order) -> None:
    """For workers that are never fenced."""


class LocalHandlers:
    """:class:`tasks.handlers.OrderHandlers` for the devices in ``settings``.

    Made before the worker forks and used in its child: opens nothing and starts no thread before the first order.
    ``refuse_stale`` raises when an order's device was fenced or its run is over; it is called before the work, before a
    segment is committed, and once a second while a target is written.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        worker: str,
        progress: WorkerProgress,
        refuse_stale: Callable[[Order], None] = _refuse_none,
    ) -> None:
        self.worker = worker
        self._settings = settings
        self._progress = progress
        self._refuse_stale = refuse_stale
        self._devices: dict[str, Device] = {}
        self._swept: set[str] = set()
        self._claims = Claims()
        self._spare = UnitBuffers()
        self._views = Views()
        self._ranges = StreamRangeReader()

    def handle(self, order: Order) -> Result:
        handler: Callable[[Any], Result] = getattr(self, kind_of(order).name)
        with self._in_hand(order):
            return handler(order)

    def deliver(self, receipt: Receipt, queue: str) -> None:
        publish_receipt(receipt, queue)

    # ---- one handler for each row of tasks.registry, under the row's name; ``handle`` calls it

    def describe(self, order: DescribeDevice) -> DeviceReport:
        """The first order of every run, and the one after trouble; removes what dead workers left half-written."""
        report = self._device(order).probe()
        self._progress.tell_device(report.device_id, order.epoch, report.free_bytes)
        if report.condition == "ready":
            return self._with_rights(order, replace(report, unswept=self._sweep(self._device(order))))
        return report

    def adopt(self, order: AdoptDevice) -> DeviceReport:
        report = adopt(order, self._device(order), self._settings.devices[order.device].site)
        self._progress.tell_device(report.device_id, order.epoch, report.free_bytes)
        return report

    def store(self, order: StoreSegment) -> StoreResult:
        device = self._claimed_device(order)
        self._claims.put(order, device)
        result = store_segment(
            order,
            device=device,
            source_root=self._source_root(order),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
            spare=self._spare,
            views=self._views,
        )
        self._progress.tell_device(order.device_id, order.epoch, result.free_bytes)
        return result

    def confirm_empty(self, order: ConfirmEmpty) -> EmptyResult:
        """Needs no device: any worker that has the source may look."""
        self._device(order)
        return confirm_empty(order, source_root=self._source_root(order), beat=self._progress.beat)

    def put_manifest(self, order: PutManifest) -> ManifestResult:
        return put_manifest(order, device=self._claimed_device(order))

    def get_manifest(self, order: GetManifest) -> ManifestResult:
        return get_manifest(order, device=self._claimed_device(order))

    def copy(self, order: CopyObject) -> CopyResult:
        return copy_object(
            order,
            origin=self._origin(order),
            device=self._claimed_device(order),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
        )

    def repack(self, order: RepackObject) -> RepackResult:
        return repack_object(
            order,
            origin=self._other_device(order),
            device=self._claimed_device(order),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
            spare=self._spare,
        )

    def make_parity(self, order: MakeParity) -> ParityResult:
        return make_parity(
            order,
            device=self._claimed_device(order),
            origins=self._reachable(order.devices),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
        )

    def describe_objects(self, order: DescribeObjects) -> ContentsResult:
        return describe_objects(order, device=self._claimed_device(order))

    def delete(self, order: DeleteStored) -> DeleteResult:
        device = self._claimed_device(order)
        return delete_stored(
            order,
            device=device,
            marker=device.claim(order.device_id),
            append_only=self._settings.devices[order.device].append_only,
            before_each=self._before_write(order),
        )

    def list_objects(self, order: ListObjects) -> ObjectsResult:
        return list_objects(order, device=self._claimed_device(order))

    def examine(self, order: ExamineObjects) -> OriginsResult:
        return examine_objects(order, device=self._claimed_device(order))

    def restore_segment(self, order: RestoreSegment) -> RestoreResult:
        device, root = self._read_device(order), _path_of("target", order.target, self._settings.targets)
        still_wanted = self._before_write(order)
        if order.compare:
            return compare_segment(
                order, device=device, target_root=root, progress=self._progress, before_read=still_wanted
            )
        return restore_segment(
            order, device=device, target_root=root, progress=self._progress, before_write=still_wanted
        )

    def restore_entries(self, order: RestoreEntries) -> RestoreResult:
        """Needs no device: any worker may make entries without data."""
        self._device(order)
        root = _path_of("target", order.target, self._settings.targets)
        return restore_entries(
            order, target_root=root, beat=self._progress.beat, before_write=self._before_write(order)
        )

    def preview_entries(self, order: PreviewEntries) -> PreviewResult:
        """Needs no device, as all that concerns the target alone."""
        self._device(order)
        root = _path_of("target", order.target, self._settings.targets)
        return preview_entries(order, target_root=root, beat=self._progress.beat)

    def find_surplus(self, order: FindSurplus) -> SurplusResult:
        self._device(order)
        root = _path_of("target", order.target, self._settings.targets)
        return find_surplus(order, target_root=root, beat=self._progress.beat)

    def prepare_image(self, order: PrepareImage) -> RestoreResult:
        """Needs no device, either."""
        self._device(order)
        root = _path_of("target", order.target, self._settings.targets)
        return prepare_image(order, target_root=root, beat=self._progress.beat, before_write=self._before_write(order))

    def read(self, order: ReadSegment) -> ReadResult:
        return self._ranges.read(order, device=self._read_device(order), progress=self._progress)

    def verify(self, order: VerifySegments) -> VerifyResult:
        return verify_segments(order, device=self._claimed_device(order), progress=self._progress)

    # ---- what they share

    @contextmanager
    def _in_hand(self, order: Order) -> Iterator[None]:
        """Shows the order in the lease while it is carried out; refuses a stale or deadly one."""
        begun_count = self._progress.begin(order.order_id)
        try:
            if begun_count > _MAX_BEGUN_COUNT:
                raise DeadlyOrderError(f"the worker died {begun_count - 1} times while it carried out this order")
            self._refuse_stale(order)
            yield
        finally:
            self._progress.end()

    def _before_write(self, order: Order) -> Callable[[], None]:
        """For the steps of a long order: its run may end meanwhile."""
        return now_and_then(lambda: self._refuse_stale(order))

    def _source_root(self, order: StoreSegment | ConfirmEmpty) -> Path:
        name = order.within.source if order.within is not None else order.source
        # The agent of another device may have it.
        return _path_of("source", name, self._settings.sources, reason=Reason.SOURCE)

    def _device(self, order: Order) -> Device:
        return self._device_called(order.device)

    def _device_called(self, name: str) -> Device:
        device = self._devices.get(name)
        if device is None:
            settings = self._settings.devices.get(name)
            if settings is None:
                raise NotConfiguredError(f"this worker does not serve device {name}")
            device = self._devices[name] = open_device(name, settings)
        return device

    def _claimed_device(self, order: Order) -> Device:
        """The order's device, after a check of its marker."""
        device = self._device(order)
        if not order.device_id:
            raise NotADeviceError(f"device {order.device} has no id yet; adopt it first")
        device.claim(order.device_id)
        if device.name not in self._swept:
            self._sweep(device)
        return device

    def _read_device(self, order: RestoreSegment | ReadSegment) -> Device:
        """Where the order's object is read: on its device, or from its group."""
        device = self._claimed_device(order)
        return device if order.group is None else self._group(order.group)

    def _origin(self, order: CopyObject) -> Device:
        if order.group is not None:
            return self._group(order.group)
        return self._other_device(order)

    def _other_device(self, order: CopyObject | RepackObject) -> Device:
        """The one that the order takes from, which may be its own.  Raises OutOfReachError."""
        if order.from_device_id == order.device_id:
            return self._claimed_device(order)
        try:
            device = self._device_called(order.from_device)
            device.claim(order.from_device_id)
        except (NotConfiguredError, DeviceError) as error:
            raise OutOfReachError(str(error)) from error
        return device

    def _group(self, group: GroupAt) -> Device:
        return GroupDevice(group.group_id, self._reachable(group.devices))

    def _reachable(self, devices: Sequence[DeviceAt]) -> list[Device]:
        """Those of the devices that this worker has and that are there."""
        found: list[Device] = []
        for one in devices:
            try:
                device = self._device_called(one.name)
                device.claim(one.device_id)
            except (NotConfiguredError, DeviceError) as error:
                log.info("device %s is not read: %s", one.name, error)
                continue
            found.append(device)
        return found

    def _with_rights(self, order: DescribeDevice, report: DeviceReport) -> DeviceReport:
        """What decides who may delete there, and what the configuration says of the device."""
        settings = self._settings.devices[order.device]
        report = replace(report, append_only=settings.append_only, site=settings.site or report.site)
        if not report.catalog_id:
            return report
        device = self._device(order)
        device.claim(report.device_id)
        return replace(report, generation=generation_on(device, report.catalog_id))

    def _sweep(self, device: Device) -> str:
        """Remove what other workers of this device left half-written when they died; returns what could not be."""
        self._swept.add(device.name)
        try:
            swept = device.sweep()
        except DeviceError as error:
            # A read-only device can still be restored from.
            log.info("not swept: %s", error)
            return ""
        log.info("device %s: %d unfinished files removed", device.name, swept.removed_count)
        return swept.left


def _path_of(kind: str, name: str, paths: Mapping[str, Path], *, reason: Reason = Reason.REFUSED) -> Path:
    path = paths.get(name)
    if path is None:
        error = NotConfiguredError(f"this worker has no {kind} {name!r}")
        error.reason = reason
        raise error
    return path
