"""Broker, workers and disks as a model: a channel that loses and repeats, and workers that die, by explicit steps.

It stands in the place of :class:`producer.dispatch.link.Link` and of a fleet, so that the manager's own code can be
driven through any order of events, in milliseconds.  What a real broker does is proved in tests/integration and
tests/faults.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from producer.dispatch.last_orders import Purged
from producer.dispatch.queue_moves import LEAVE, Choose
from tasks.broker.leases import Lease
from tasks.digests import DIGEST_BYTES, listed_cells_count
from tasks.errors import BrokerError, Reason
from tasks.orders import AdoptDevice, ConfirmEmpty, DescribeDevice, Order, StoreSegment
from tasks.receipts import DeviceReport, EmptyResult, Failure, ManifestResult, Receipt, StoreResult, Timing
from tasks.registry import kind_of
from tasks.wire import decode, encode

ROOM_BYTES = 2**40


@dataclass(kw_only=True)
class Disk:
    """A device's folder, and the worker that serves it."""

    number: int
    device_id: str = ""
    pool_id: str = ""
    is_there: bool = True
    is_full: bool = False
    #: Stored segment ids, and the manifests.
    segments: set[str] = field(default_factory=set)
    is_served: bool = False
    #: What the worker has taken and not acknowledged.
    held: Order | None = None
    bytes_moved: int = 0
    #: What it holds against the next segments, instead of storing them.
    failures: list[Reason] = field(default_factory=list)


class Channel:
    """The manager's link (orders out, receipts in, leases, moves) and its fleet (exits, kills, restarts)."""

    inbox = "manager.model"
    refused_count = 0

    def __init__(self, names: Iterable[str]) -> None:
        self.disks = {name: Disk(number=number) for number, name in enumerate(names)}
        self.queues: dict[str, list[Order]] = {name: [] for name in self.disks}
        self.receipts_due: list[Receipt] = []
        #: Receipts that somebody kept back: repeats that come later.
        self.repeats: list[Receipt] = []
        self.is_down = False
        #: Whether workers carry out everything at once, whenever the manager looks.
        self.is_quick = True
        self._epochs: dict[str, int] = {}

    # ---- the world: what may happen at any time

    def take(self, name: str) -> None:
        """The worker takes the next message."""
        disk = self.disks[name]
        if disk.is_served and disk.held is None and self.queues[name] and not self.is_down:
            disk.held = self.queues[name].pop(0)

    def finish(self, name: str, *, receipt_is_lost: bool = False) -> None:
        """The worker carries out what it holds, and answers."""
        disk = self.disks[name]
        order, disk.held = disk.held, None
        if order is not None and disk.is_served:
            receipt = self._answer(disk, order)
            if not receipt_is_lost:
                self.receipts_due.append(receipt)

    def lose_order(self, name: str) -> None:
        """A message vanishes between the queue and the worker."""
        if self.queues[name]:
            self.queues[name].pop(0)

    def repeat_order(self, name: str) -> None:
        if self.queues[name]:
            self.queues[name].append(self.queues[name][0])

    def repeat_receipts(self) -> None:
        """All receipts that wait, and all that were kept back, come again."""
        self.receipts_due += self.repeats
        self.repeats = list(self.receipts_due)

    def empty(self) -> None:
        """FLUSHALL."""
        for name, disk in self.disks.items():
            self.queues[name] = []
            disk.held = None
        self.receipts_due = []
        self._epochs = {}

    # ---- as a link

    def send(self, orders: Sequence[Order]) -> None:
        self._refuse_when_down()
        for order in orders:
            self.queues[order.device].append(order)

    def receipts(self, timeout_s: float) -> list[Receipt]:
        if self.is_quick:
            self._carry_out_everything()
        if self.is_down:
            return []
        due, self.receipts_due = self.receipts_due, []
        return due

    def leases(self, devices: Iterable[str]) -> dict[str, list[Lease]] | None:
        if self.is_down:
            return None
        return {name: self._leases(name) for name in devices}

    def waiting(self, devices: Iterable[str]) -> set[str] | None:
        if self.is_down:
            return None
        return {order.order_id for name in devices for order in self._all(name)}

    def move(self, device: str, choose: Choose) -> dict[str, str]:
        self._refuse_when_down()
        disk, moved = self.disks[device], {}
        orders, self.queues[device], disk.held = self._all(device), [], None
        for order in orders:
            destination = choose(encode(order))
            if destination is LEAVE:
                self.queues[device].append(order)
            elif destination is not None:
                name = destination.queue.removeprefix("device.")
                self.queues[name].append(decode(type(order), encode(order) | dict(destination.changes)))
                moved[order.order_id] = destination.queue
        return moved

    def withdraw(self, devices: Iterable[str], order_ids: Collection[str]) -> list[str]:
        self._refuse_when_down()
        taken = []
        for name in devices:
            taken += [order.order_id for order in self.queues[name] if order.order_id in order_ids]
            self.queues[name] = [order for order in self.queues[name] if order.order_id not in order_ids]
        return taken

    def fence(self, device_id: str, epoch: int) -> None:
        self._epochs[device_id] = epoch

    def published_epoch(self, device_id: str) -> int:
        return self._epochs.get(device_id, 0)

    def give_sign(self) -> None:
        """Its workers refuse no run."""

    def purge_own(self, device: str) -> Purged:
        self._refuse_when_down()
        dropped, self.queues[device], self.disks[device].held = self.queues[device], [], None
        return Purged(waited=tuple(order.order_id for order in dropped), held=())

    # ---- as a fleet

    def exited(self) -> dict[str, str]:
        return {name: "killed" for name, disk in self.disks.items() if not disk.is_served}

    def kill(self, device: str) -> None:
        """What the worker holds stays unacknowledged in the broker."""
        self.disks[device].is_served = False

    def restart(self, device: str) -> None:
        disk = self.disks[device]
        disk.is_served, disk.bytes_moved = True, 0
        if disk.held is not None:
            self.queues[device].insert(0, disk.held)
            disk.held = None

    def is_shared(self, device: str) -> bool:
        return False

    def where_to_look(self, device: str) -> str:
        return ""

    # ---- workers

    def _carry_out_everything(self) -> None:
        for name, disk in self.disks.items():
            while disk.is_served and not self.is_down and (disk.held or self.queues[name]):
                self.take(name)
                self.finish(name)

    def _answer(self, disk: Disk, order: Order) -> Receipt:
        result: Any = None
        failure = None
        if order.device_id and order.epoch < self._epochs.get(order.device_id, 0):
            failure = _failure(Reason.REFUSED, "fenced")
        elif isinstance(order, DescribeDevice):
            result = self._report(disk)
        elif not disk.is_there:
            failure = _failure(Reason.DEVICE, "not-a-device")
        else:
            result, failure = self._carry_out(disk, order)
        return Receipt(
            task=kind_of(order).task,
            run_id=order.run_id,
            order_id=order.order_id,
            device=order.device,
            device_id=order.device_id,
            epoch=order.epoch,
            attempt=order.attempt,
            worker="model",
            result=result,
            failure=failure,
        )

    def _carry_out(self, disk: Disk, order: Order) -> tuple[object, Failure | None]:
        match order:
            case AdoptDevice():
                disk.device_id, disk.pool_id = order.new_device_id, order.pool_id
                return self._report(disk), None
            case StoreSegment():
                return self._store(disk, order)
            case ConfirmEmpty():
                return EmptyResult(notes=()), None
            case _:
                return ManifestResult(), None

    def _store(self, disk: Disk, order: StoreSegment) -> tuple[object, Failure | None]:
        found = order.object_id in disk.segments
        if disk.is_full and not found:
            return None, _failure(Reason.FULL, "device-full")
        if disk.failures:
            return None, _failure(disk.failures.pop(), "trouble")
        disk.segments.add(order.object_id)
        disk.bytes_moved += order.extents.total_bytes
        return (
            StoreResult(
                bytes_source=order.extents.total_bytes,
                bytes_stored=order.extents.total_bytes,
                units_count=-(-order.extents.total_bytes // order.unit_bytes),
                notes=(),
                file_state=None,
                found=found,
                free_bytes=ROOM_BYTES,
                timing=Timing(read_s=0, compress_s=0, write_s=0, sync_s=0, total_s=0),
                trailer_digest="0" * 64,
                extent_digests=bytes(DIGEST_BYTES * len(order.extents)),
                cell_digests=bytes(DIGEST_BYTES * listed_cells_count(order.extents)),
            ),
            None,
        )

    def _report(self, disk: Disk) -> DeviceReport:
        marker = disk.device_id if disk.is_there else ""
        return DeviceReport(
            condition=("ready" if marker else "empty") if disk.is_there else "missing",
            detail="",
            device_id=marker,
            pool_id=disk.pool_id if marker else "",
            marker_name="",
            capacity_bytes=ROOM_BYTES,
            free_bytes=ROOM_BYTES,
            root_identity=(1, disk.number),
        )

    def _leases(self, name: str) -> list[Lease]:
        disk = self.disks[name]
        if not disk.is_served:
            return []
        order_id = disk.held.order_id if disk.held is not None else ""
        return [Lease(device=name, worker=name, pid=1, bytes_moved=disk.bytes_moved, order_id=order_id)]

    def _all(self, name: str) -> list[Order]:
        held = self.disks[name].held
        return ([held] if held is not None else []) + self.queues[name]

    def _refuse_when_down(self) -> None:
        if self.is_down:
            raise BrokerError("the broker is down")


def _failure(reason: Reason, code: str) -> Failure:
    return Failure(reason=reason, code=code, message=f"model: {code}")
