"""Carries out orders: checks that they are for this worker, then calls the code that does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tasks.errors import NoParcelError, Reason
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
from tasks.orders.cleaning import (
    ContentsResult,
    DeleteResult,
    DeleteStored,
    DescribeObjects,
    ExamineObjects,
    ListObjects,
    ObjectsResult,
    OriginsResult,
)
from tasks.orders.copying import CopyObject, CopyResult
from tasks.orders.parity import ListParity, MakeParity, ParityList, ParityResult
from tasks.orders.repacking import RepackObject, RepackResult
from tasks.orders.target_looks import FindSurplus, PreviewEntries, PreviewResult, SurplusResult
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
from workers.devices.adopt import adopt
from workers.devices.claims import Claims
from workers.devices.deleting import delete_stored, list_objects
from workers.devices.manifests import get_manifest, put_manifest
from workers.parity.listing import list_parity
from workers.parity.making import make_parity
from workers.process.delivery import publish_receipt
from workers.process.fence import now_and_then
from workers.process.own_devices import OwnDevices
from workers.process.refusals import DeadlyOrderError, NotConfiguredError
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

#: An order that was begun this often is deadly.  Its message is delivered again after each death of the child.
_MAX_BEGUN_COUNT = 3


def _refuse_none(order: Order) -> None:
    """For workers that are never fenced."""


def _no_parcel(digest: str) -> bytes:
    """For workers without a broker."""
    raise NoParcelError(f"there is no parcel {digest}")


class LocalHandlers:
    """:class:`tasks.handlers.OrderHandlers` for the devices in ``settings``.

    Made before the worker forks and used in its child: opens nothing and starts no thread before the first order.
    ``refuse_stale`` raises when an order's device was fenced or its run is over; it is called before the work, before a
    segment is committed, and once a second while a target is written.  ``parcel`` gives what lies in the broker under a
    digest.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        worker: str,
        progress: WorkerProgress,
        refuse_stale: Callable[[Order], None] = _refuse_none,
        parcel: Callable[[str], bytes] = _no_parcel,
    ) -> None:
        self.worker = worker
        self._settings = settings
        self._progress = progress
        self._refuse_stale = refuse_stale
        self._parcel = parcel
        self._devices = OwnDevices(settings)
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
        device = self._devices.named(order.device)
        report = device.probe()
        self._progress.tell_device(report.device_id, order.epoch, report.free_bytes)
        if report.condition == "ready":
            return self._devices.with_rights(device.name, replace(report, unswept=self._devices.sweep(device)))
        return report

    def adopt(self, order: AdoptDevice) -> DeviceReport:
        report = adopt(order, self._devices.named(order.device), self._settings.devices[order.device].site)
        self._progress.tell_device(report.device_id, order.epoch, report.free_bytes)
        return report

    def store(self, order: StoreSegment) -> StoreResult:
        device = self._devices.claimed(order)
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
        self._devices.named(order.device)
        return confirm_empty(order, source_root=self._source_root(order), beat=self._progress.beat)

    def put_manifest(self, order: PutManifest) -> ManifestResult:
        device = self._devices.claimed(order)
        whole = replace(order, data=self._parcel(order.digest)) if order.is_parcel else order
        return put_manifest(whole, device=device)

    def get_manifest(self, order: GetManifest) -> ManifestResult:
        return get_manifest(order, device=self._devices.claimed(order))

    def copy(self, order: CopyObject) -> CopyResult:
        return copy_object(
            order,
            origin=self._devices.to_copy_from(order),
            device=self._devices.claimed(order),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
        )

    def repack(self, order: RepackObject) -> RepackResult:
        return repack_object(
            order,
            origin=self._devices.other(order),
            device=self._devices.claimed(order),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
            spare=self._spare,
        )

    def make_parity(self, order: MakeParity) -> ParityResult:
        return make_parity(
            order,
            device=self._devices.claimed(order),
            origins=self._devices.reachable(order.devices),
            progress=self._progress,
            before_commit=lambda: self._refuse_stale(order),
        )

    def describe_objects(self, order: DescribeObjects) -> ContentsResult:
        return describe_objects(order, device=self._devices.claimed(order))

    def list_parity(self, order: ListParity) -> ParityList:
        return list_parity(order, device=self._devices.claimed(order))

    def delete(self, order: DeleteStored) -> DeleteResult:
        device = self._devices.claimed(order)
        return delete_stored(
            order,
            device=device,
            marker=device.claim(order.device_id),
            append_only=self._settings.devices[order.device].append_only,
            before_each=self._before_write(order),
        )

    def list_objects(self, order: ListObjects) -> ObjectsResult:
        return list_objects(order, device=self._devices.claimed(order))

    def examine(self, order: ExamineObjects) -> OriginsResult:
        return examine_objects(order, device=self._devices.claimed(order))

    def restore_segment(self, order: RestoreSegment) -> RestoreResult:
        device, root = self._devices.to_read(order), self._target_root(order)
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
        self._devices.named(order.device)
        root = self._target_root(order)
        return restore_entries(
            order, target_root=root, beat=self._progress.beat, before_write=self._before_write(order)
        )

    def preview_entries(self, order: PreviewEntries) -> PreviewResult:
        """Needs no device, as all that concerns the target alone."""
        self._devices.named(order.device)
        root = self._target_root(order)
        return preview_entries(order, target_root=root, beat=self._progress.beat)

    def find_surplus(self, order: FindSurplus) -> SurplusResult:
        self._devices.named(order.device)
        root = self._target_root(order)
        return find_surplus(order, target_root=root, beat=self._progress.beat)

    def prepare_image(self, order: PrepareImage) -> RestoreResult:
        """Needs no device, either."""
        self._devices.named(order.device)
        root = self._target_root(order)
        return prepare_image(order, target_root=root, beat=self._progress.beat, before_write=self._before_write(order))

    def read(self, order: ReadSegment) -> ReadResult:
        return self._ranges.read(order, device=self._devices.to_read(order), progress=self._progress)

    def verify(self, order: VerifySegments) -> VerifyResult:
        return verify_segments(order, device=self._devices.claimed(order), progress=self._progress)

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

    def _target_root(
        self, order: RestoreSegment | RestoreEntries | PreviewEntries | FindSurplus | PrepareImage
    ) -> Path:
        return _path_of("target", order.target, self._settings.targets)

    def _source_root(self, order: StoreSegment | ConfirmEmpty) -> Path:
        name = order.within.source if order.within is not None else order.source
        # The agent of another device may have it.
        return _path_of("source", name, self._settings.sources, reason=Reason.SOURCE)


def _path_of(kind: str, name: str, paths: Mapping[str, Path], *, reason: Reason = Reason.REFUSED) -> Path:
    path = paths.get(name)
    if path is None:
        error = NotConfiguredError(f"this worker has no {kind} {name!r}")
        error.reason = reason
        raise error
    return path
