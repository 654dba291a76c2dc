"""A run without broker and workers, for the decisions between them: real catalog, walk, plan, listing and courier.

Orders and receipts go through their wire form; an order is answered when the manager next looks for
receipts, by what a test gives as ``answers``, or else as a device would that always succeeds.
"""

from __future__ import annotations

import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast

from producer.backup.intake.intake import Intake
from producer.backup.intake.take_in import take_in
from producer.backup.planning import plan_backup
from producer.catalog.catalog import Catalog
from producer.dispatch.courier import Courier
from producer.dispatch.last_orders import Purged
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.queue_moves import Choose, Destination
from producer.fleet.local import LocalFleet
from producer.observer import FileChange, Progress, Trouble
from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from producer.run.interrupt import Interrupt
from producer.run.session import RunSession
from producer.walk.known import KnownDirectories
from tasks.broker.leases import Lease
from tasks.broker.queues import device_queue
from tasks.digests import DIGEST_BYTES, listed_cells_count
from tasks.orders import (
    AdoptDevice,
    ConfirmEmpty,
    DescribeDevice,
    GetManifest,
    Order,
    PutManifest,
    StoreSegment,
    VerifySegments,
)
from tasks.receipts import (
    DeviceReport,
    EmptyResult,
    Failure,
    FileState,
    ManifestResult,
    Receipt,
    SegmentFinding,
    StoreResult,
    Timing,
    VerifyResult,
)
from tasks.registry import kind_of
from tasks.wire import decode_order, decode_receipt, encode

GIB = 1024**3

#: What a device says to an order; None: not yet.
Answer = Any
Answers = Callable[[Order], Answer]

_NO_TIME = Timing(read_s=0, compress_s=0, write_s=0, sync_s=0, total_s=0)


def report(**fields: Any) -> DeviceReport:
    """What an empty folder of 100 GiB says of itself, but for ``fields``."""
    common = {
        "condition": "empty",
        "detail": "",
        "device_id": "",
        "pool_id": "",
        "marker_name": "",
        "capacity_bytes": 100 * GIB,
        "free_bytes": 90 * GIB,
        "root_identity": (0, uuid.uuid4().int % 2**60),
    }
    return DeviceReport(**{**common, **fields})


class Recorded:
    """An observer that remembers all it is told."""

    def __init__(self) -> None:
        self.files: list[tuple[FileChange, str]] = []
        self.notes: list[str] = []
        self.troubles: list[Trouble] = []
        self.progresses: list[Progress] = []

    def worker_started(self, device: str, pid: int) -> None: ...

    def file(self, change: FileChange, path: str) -> None:
        self.files.append((change, path))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trouble(self, trouble: Trouble) -> None:
        self.troubles.append(trouble)

    def progress(self, progress: Progress) -> None:
        self.progresses.append(progress)

    @property
    def trouble_codes(self) -> list[str]:
        return [trouble.code for trouble in self.troubles]


class Devices:
    """What the devices hold, and how they answer; lasts from run to run."""

    def __init__(self, sources: Mapping[str, Path]) -> None:
        self.reports: dict[str, DeviceReport] = {}
        #: Device → objects of segments and manifest files, in the order in which they came.
        self.segments: dict[str, dict[str, StoreSegment | None]] = defaultdict(dict)
        self.files: dict[str, dict[str, bytes]] = defaultdict(dict)
        self._sources = sources

    def answer(self, order: Order) -> Answer:
        match order:
            case DescribeDevice():
                return self.reports.setdefault(order.device, report())
            case AdoptDevice():
                return self._adopt(order)
            case StoreSegment():
                self.segments[order.device][order.object_id] = order
                return self.stored(order)
            case VerifySegments():
                return self._verified(order)
            case ConfirmEmpty():
                return EmptyResult(notes=())
            case PutManifest():
                self.files[order.device][order.name] = order.data
                return ManifestResult()
            case GetManifest(name=""):
                return ManifestResult(names=tuple(sorted(self.files[order.device])))
        raise AssertionError(f"no answer to {order}")

    def stored(self, order: StoreSegment, **fields: Any) -> StoreResult:
        """A segment stored at half its size; ``fields`` replace what would be said otherwise."""
        common = {
            "bytes_source": order.extents.total_bytes,
            "bytes_stored": order.extents.total_bytes // 2,
            "units_count": -(-order.extents.total_bytes // order.unit_bytes),
            "notes": (),
            "file_state": self.state_of(order),
            "found": False,
            "free_bytes": 90 * GIB,
            "timing": _NO_TIME,
            "trailer_digest": "0" * 64,
            "extent_digests": bytes(DIGEST_BYTES * len(order.extents)),
            "cell_digests": bytes(DIGEST_BYTES * listed_cells_count(order.extents)),
        }
        return StoreResult(**{**common, **fields})

    def state_of(self, order: StoreSegment) -> FileState | None:
        if len(order.extents) != 1:
            return None
        status = (self._sources[order.source] / order.extents.paths[0]).stat()
        return FileState(size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns)

    def _verified(self, order: VerifySegments) -> VerifyResult:
        missing = [one for one in order.object_ids if one not in self.segments[order.device]]
        return VerifyResult(
            segments_count=len(order.object_ids),
            bytes_read=0,
            findings=tuple(SegmentFinding(object_id=one, code="missing", message="", ranges=()) for one in missing),
        )

    def _adopt(self, order: AdoptDevice) -> DeviceReport:
        empty = self.reports[order.device]
        self.reports[order.device] = report(
            condition="ready",
            device_id=order.new_device_id,
            pool_id=order.pool_id,
            marker_name=order.device,
            root_identity=empty.root_identity,
        )
        return self.reports[order.device]


class Wires:
    """In the place of a :class:`Link`: a queue for each device, and receipts as they were put on the wire."""

    refused_count = 0

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.sent: list[Order] = []
        self.fenced: dict[str, int] = {}
        #: Of life, in their order.
        self.signs: list[str] = []
        self.queues: dict[str, deque[tuple[str, Any]]] = defaultdict(deque)
        #: Whether messages that are sent get lost.
        self.loses = False
        #: Whether each receipt is read before the next order is carried out.
        self.is_one_by_one = False
        #: Ids of the orders that workers have taken and not acknowledged, and that write to a target.
        self.held: list[str] = []
        self._inbox: list[Any] = []

    # ---- for the manager

    def send(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.sent.append(order)
            if not self.loses:
                self.queues[device_queue(order.device)].append((kind_of(order).task, encode(order)))

    def receipts(self, timeout_s: float) -> list[Receipt]:
        for queue in self.queues.values():
            for _ in range(0 if self.is_one_by_one and self._inbox else len(queue)):
                task, wire = queue.popleft()
                answer = self.answers(decode_order(task, wire))
                if answer is None:
                    queue.append((task, wire))
                    continue
                self.put(receipt_for(decode_order(task, wire), answer))
                if self.is_one_by_one:
                    break
        received, self._inbox = self._inbox, []
        return [decode_receipt(wire) for wire in received]

    def leases(self, devices: Iterable[str]) -> dict[str, list[Lease]]:
        return {
            device: [Lease(device=device, worker=f"{device}@here", pid=1, bytes_moved=0, order_id="")]
            for device in devices
        }

    def waiting(self, devices: Iterable[str]) -> set[str]:
        return {wire["order_id"] for device in devices for _, wire in self.queues[device_queue(device)]}

    def withdraw(self, devices: Iterable[str], order_ids: Collection[str]) -> list[str]:
        taken = []
        for device in devices:
            queue = self.queues[device_queue(device)]
            taken += [wire["order_id"] for _, wire in queue if wire["order_id"] in order_ids]
            self.queues[device_queue(device)] = deque(row for row in queue if row[1]["order_id"] not in order_ids)
        return taken

    def move(self, device: str, choose: Choose) -> dict[str, str]:
        moved = {}
        queue, self.queues[device_queue(device)] = self.queues[device_queue(device)], deque()
        for task, wire in queue:
            destination: Destination | None = choose(wire)
            if destination is not None:
                self.queues[destination.queue].append((task, {**wire, **destination.changes}))
                moved[wire["order_id"]] = destination.queue
        return moved

    def fence(self, device_id: str, epoch: int) -> None:
        self.fenced[device_id] = epoch

    def published_epoch(self, device_id: str) -> int:
        return self.fenced.get(device_id, 0)

    def give_sign(self) -> None:
        self.signs.append("lives")

    def give_last_sign(self) -> None:
        self.signs.append("over")

    def purge_own(self, device: str) -> Purged:
        queue, self.queues[device_queue(device)] = self.queues[device_queue(device)], deque()
        held, self.held = self.held, []
        return Purged(waited=tuple(wire["order_id"] for _, wire in queue), held=tuple(held))

    # ---- for the test

    def put(self, receipt: Receipt) -> None:
        """A receipt comes; twice, when it is put twice."""
        self._inbox.append(encode(receipt))


def receipt_for(order: Order, answer: Answer) -> Receipt:
    """The envelope around a result or a :class:`Failure`."""
    failure = answer if isinstance(answer, Failure) else None
    return Receipt(
        task=kind_of(order).task,
        run_id=order.run_id,
        order_id=order.order_id,
        device=order.device,
        device_id=order.device_id,
        epoch=order.epoch,
        attempt=order.attempt,
        worker=f"{order.device}@here",
        result=None if failure is not None else answer,
        failure=failure,
    )


class Processes:
    """In the place of a :class:`LocalFleet`: workers that live until a test ends them."""

    def __init__(self) -> None:
        #: Device → how its worker ended.
        self.ended: dict[str, str] = {}

    def exited(self) -> dict[str, str]:
        return dict(self.ended)

    def kill(self, device: str) -> None:
        self.ended[device] = "signal SIGKILL"

    def restart(self, device: str) -> None:
        self.ended.pop(device, None)

    def where_to_look(self, device: str) -> str:
        return f"see the log of worker {device}"

    def is_shared(self, device: str) -> bool:
        return False


class Offline:
    """One run's session and all that stands behind it.  Another one on the same catalog and devices is the next run."""

    def __init__(self, catalog: Catalog, names: Iterable[str] | Mapping[str, Path], devices: Devices) -> None:
        """``names``: with the folders of the devices, where they have any."""
        paths = dict(names) if isinstance(names, Mapping) else {name: Path("/devices") / name for name in names}
        self.catalog = catalog
        self.observer = Recorded()
        self.devices = devices
        self.wires = Wires(devices.answer)
        self.processes = Processes()
        link, fleet = cast(Link, self.wires), cast(LocalFleet, self.processes)
        self.session = RunSession(
            run_id=uuid.uuid4().hex,
            reply_to="manager.offline",
            paths=paths,
            catalog=catalog,
            link=link,
            fleet=fleet,
            courier=Courier(link, fleet, paths, Limits(), self.observer),
            interrupt=Interrupt(),
            observer=self.observer,
            limits=Limits(),
        )

    def plan(self, request: BackupRequest, known: KnownDirectories | None = None) -> Intake:
        """Walk and plan, or continue with an earlier plan; nothing is stored."""
        intake = take_in(self.session, request, known=known)
        self.state = plan_backup(self.session, request, intake)
        return intake

    def store(self, intake: Intake, *, count: int | None = None, **fields: Any) -> None:
        """Record the next ``count`` planned segments as stored, as :meth:`Devices.stored` with ``fields`` says."""
        snapshot_id = intake.snapshot_id
        planned = (row for row in self.catalog.segments.valid(snapshot_id) if row.state != "stored")
        for row in list(islice(planned, count)):
            self.catalog.transitions.record_stored(
                snapshot_id,
                row.number,
                device=row.device,
                device_id=intake.members[row.device].device_id,
                epoch=0,
                bytes_stored=row.size_bytes // 2,
                object_id=row.segment_id,
                trailer_digest=b"t" * 32,
                **fields,
            )
            self.devices.segments[row.device].setdefault(row.segment_id, None)


def backup_request(
    sources: Mapping[str, Path], names: str = "a b", *, allow_empty: bool = False, **plan: Any
) -> BackupRequest:
    """A backup of these sources to the devices named by the words of ``names``, in small steps."""
    steps = {"segment_bytes": 64 * 1024, "unit_bytes": 64 * 1024, "block_bytes": 1024, "reserve_bytes": 0}
    return BackupRequest(
        sources=tuple(Source(name=name, path=path) for name, path in sources.items()),
        devices={name: Path("/devices") / name for name in names.split()},
        volume="home",
        plan=PlanOptions(**{**steps, **plan}),
        exclusions=Exclusions(),
        allow_empty=allow_empty,
    )


@contextmanager
def offline(folder: Path, names: str = "a b") -> Iterator[Offline]:
    """The first run on new devices named by the words of ``names``, with its catalog in ``folder``."""
    with Catalog(folder / "catalog.sqlite") as catalog:
        yield Offline(catalog, names.split(), Devices({}))
