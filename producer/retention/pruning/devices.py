"""The devices of a prune: what is there, who may delete on it, and what it answers."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from blake3 import blake3
from msgspec import Struct, field

from producer.catalog.tables.devices import DeviceRow
from producer.manifest.tombstones import is_tombstone
from producer.observer import Trouble
from producer.plan import reserve_bytes
from producer.pool.copying import Copied
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import Reason
from tasks.orders import GetManifest, Order, PutManifest
from tasks.orders.cleaning import MAX_DELETED, DeleteResult, DeleteStored, ExamineObjects, ListObjects
from tasks.receipts import DeviceReport, Receipt

T = TypeVar("T")

_APPEND_ONLY = "it is append-only"

#: Orders to delete under way at a device.
_WINDOW_COUNT = 4


class PrunedDevice(Struct, kw_only=True):
    """A device that is there.  ``why_not``: why nothing is deleted on it; "" if it is."""

    row: DeviceRow
    name: str
    why_not: str = ""
    #: When it was asked.
    free_bytes: int = 0
    #: Its files of manifests, as far as this run knows.
    names: set[str] = field(default_factory=set)
    objects_count: int = 0
    files_count: int = 0
    bytes_freed: int = 0
    #: What was written again, of objects that were partly dead.
    repacked_count: int = 0
    bytes_written: int = 0
    #: Of parity.
    rows_count: int = 0
    rows_bytes: int = 0

    @property
    def takes_files(self) -> bool:
        """Whether this catalog may write on it, though perhaps not delete."""
        return self.why_not in ("", _APPEND_ONLY)

    @property
    def device_id(self) -> str:
        return self.row.device_id

    @property
    def room_bytes(self) -> int:
        """What it can take now beside its reserve."""
        free_bytes = self.free_bytes + self.bytes_freed - self.bytes_written - self.rows_bytes
        return free_bytes - reserve_bytes(self.row.capacity_bytes)

    @property
    def spare_bytes(self) -> int:
        """Of the reserve, for what is written so that something larger can go.  The rest is for manifests."""
        return reserve_bytes(self.row.capacity_bytes) * 3 // 4


def count_rows(devices: Iterable[PrunedDevice], written: Copied) -> None:
    """Note the rows of parity that these devices have got."""
    for device in devices:
        device.rows_count += written.rows_counts[device.name]
        device.rows_bytes += written.rows_bytes[device.name]


def why_not(report: DeviceReport, catalog_id: str) -> str:
    """Why nothing can be deleted on a device that is there; "" if it can."""
    if report.condition != "ready":
        return report.detail or report.condition
    if report.append_only:
        return _APPEND_ONLY
    if report.catalog_id != catalog_id:
        return (
            f"only catalog {report.catalog_id[:8]} may delete on it (if that one is lost: segfleet rebuild)"
            if report.catalog_id
            else "no catalog may delete on it"
        )
    return ""


class DeviceWork:
    """Sends orders to the devices and takes what they answer.  A device that fails is reported, and not asked again."""

    def __init__(self, session: RunSession, devices: Mapping[str, PrunedDevice]) -> None:
        """``devices``: by name."""
        self._session = session
        self._devices = devices
        self._failed: set[str] = set()
        self.errors_count = 0

    def is_well(self, device: PrunedDevice) -> bool:
        return device.name not in self._failed

    def read_names(self) -> None:
        """Ask each device for the names of its files of manifests."""

        def take(order: Order, receipt: Receipt) -> None:
            self._devices[order.device].names = set(receipt.result.names)

        self._wave({name: [GetManifest(name="", **self._fields(name))] for name in self._devices}, take)

    def read_file(self, device: PrunedDevice, name: str) -> bytes:
        """A file of a manifest; b"" if it cannot be read."""
        found: list[bytes] = []

        def take(_order: Order, receipt: Receipt) -> None:
            if receipt.failure is None:
                found.append(base64.b64decode(receipt.result.data_base64))

        run_wave(self._session, {device.name: [GetManifest(name=name, **self._fields(device.name))]}, take)
        return found[0] if found else b""

    def put(self, device: PrunedDevice, files: Mapping[str, bytes]) -> bool:
        """Write small files beside the manifests; False when the device had no room for all of them."""
        fits: list[bool] = [True]

        def take(order: Order, receipt: Receipt) -> None:
            assert isinstance(order, PutManifest)
            if receipt.failure is None:
                device.names.add(order.name)
            elif receipt.failure.reason is Reason.FULL:
                fits[0] = False
            else:
                self._fail(device.name, receipt.failure.message)

        orders = [self._put_order(device.name, name, data) for name, data in files.items()]
        self._wave({device.name: orders}, take, takes_failures=True)
        return fits[0]

    def delete_files(self, names: Mapping[str, Sequence[str]]) -> None:
        """Device → names of files of manifests, deleted in this order."""
        self._delete(
            {device: [self._delete_order(device, names=page) for page in _pages(names[device])] for device in names},
            lambda _order, _gone: None,
        )

    def delete_objects(
        self, object_ids: Mapping[str, Sequence[str]], on_gone: Callable[[PrunedDevice, set[str]], None]
    ) -> None:
        """Device → ids of objects; ``on_gone`` gets those that the device does not have any more."""

        def take(order: DeleteStored, kept: set[str]) -> None:
            on_gone(self._devices[order.device], set(order.object_ids) - kept)

        orders = {
            device: [self._delete_order(device, objects=page) for page in _pages(object_ids[device])]
            for device in object_ids
        }
        self._delete(orders, take)

    def list_objects(self, names: Iterable[str]) -> dict[str, set[str]]:
        """Device → the ids of all objects that it has."""
        found: dict[str, set[str]] = {name: set() for name in names}

        def take(order: Order, receipt: Receipt) -> None:
            found[order.device].update(receipt.result.object_ids)

        orders = {
            name: [ListObjects(digit=f"{digit:x}", **self._fields(name)) for digit in range(16)] for name in found
        }
        self._wave(orders, take)
        return {name: ids for name, ids in found.items() if name not in self._failed}

    def origins(self, object_ids: Mapping[str, Iterable[str]]) -> dict[str, dict[str, tuple[str, int]]]:
        """Device → object → the snapshot that stored it, as its header says, and its size."""
        found: dict[str, dict[str, tuple[str, int]]] = {name: {} for name in object_ids}

        def take(order: Order, receipt: Receipt) -> None:
            assert isinstance(order, ExamineObjects)
            rows = zip(receipt.result.snapshot_ids, receipt.result.bytes_stored, strict=True)
            found[order.device].update(zip(order.object_ids, rows, strict=True))

        orders = {
            name: [ExamineObjects(object_ids=page, **self._fields(name)) for page in _pages(sorted(ids))]
            for name, ids in object_ids.items()
        }
        self._wave(orders, take)
        return found

    def _delete(
        self, orders: Mapping[str, Sequence[DeleteStored]], on_deleted: Callable[[DeleteStored, set[str]], None]
    ) -> None:
        def take(order: Order, receipt: Receipt) -> None:
            assert isinstance(order, DeleteStored)
            device, result = self._devices[order.device], receipt.result
            assert isinstance(result, DeleteResult)
            kept = {file.name for file in result.kept}
            for file in result.kept:
                self.tell(device.name, f"device {device.name}: {file.name} cannot be deleted: {file.message}")
            device.names -= set(order.manifest_names) - kept
            device.bytes_freed += result.bytes_freed
            if order.object_ids:
                device.objects_count += result.deleted_count
            elif not all(map(is_tombstone, order.manifest_names)):
                device.files_count += result.deleted_count
            on_deleted(order, kept)

        self._wave(orders, take)

    def _wave(
        self,
        orders: Mapping[str, Sequence[Order]],
        on_receipt: Callable[[Order, Receipt], None],
        *,
        takes_failures: bool = False,
    ) -> None:
        def take(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None and not takes_failures:
                self._fail(order.device, receipt.failure.message)
            else:
                on_receipt(order, receipt)

        asked = {name: found for name, found in orders.items() if name not in self._failed}
        for name, why in run_wave(self._session, asked, take, window_count=_WINDOW_COUNT).items():
            self._fail(name, why)

    def _fail(self, name: str, why: str) -> None:
        if name not in self._failed:
            self._failed.add(name)
            self.tell(name, f"device {name}: {why}; what should be deleted there waits for the next prune")

    def tell(self, name: str, message: str) -> None:
        """Report that something could not be done; the prune has then done its work in part."""
        self.errors_count += 1
        self._session.observer.trouble(Trouble(code="not-pruned", message=message, device=name))

    def _put_order(self, device: str, name: str, data: bytes) -> PutManifest:
        return PutManifest(name=name, data=data, digest=blake3(data).hexdigest(), **self._fields(device))

    def _delete_order(self, device: str, *, names: tuple[str, ...] = (), objects: tuple[str, ...] = ()) -> DeleteStored:
        catalog_id = self._session.catalog.generations.catalog_id
        return DeleteStored(catalog_id=catalog_id, manifest_names=names, object_ids=objects, **self._fields(device))

    def _fields(self, name: str) -> dict[str, Any]:
        row = self._devices[name].row
        return {
            "order_id": uuid.uuid4().hex,
            **self._session.order_fields(name, device_id=row.device_id, epoch=row.epoch),
        }


def _pages(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    pending = iter(values)
    while page := tuple(islice(pending, MAX_DELETED)):
        yield page
