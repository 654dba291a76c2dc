"""A dump: the bytes of one file or raw volume of a snapshot, in order, to an open file.

The pieces are fetched in turn, a few at a time (:mod:`producer.restore.fetching`), so a dump needs space for
a few pieces only, however large the whole is.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing import Entry
from producer.observer import Observer
from producer.pool.present import present_devices
from producer.raw.ranges import Range, gaps, merged
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.fetching import Answers, Piece, Spool, zeros
from producer.restore.holes import Hole
from producer.restore.planning.plan import RestorePlan
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import Wanted, find_wanted
from producer.run.environment import Environment
from producer.run.session import RunNeeds, RunSession, open_session
from producer.run.threads import default_threads
from producer.run.wave import run_wave
from tasks.errors import DamagedError, SegfleetError, UsageError
from tasks.orders import Order
from tasks.receipts import Receipt

#: Pieces that are fetched at the same time.
_AHEAD_COUNT = 4


class Out(Protocol):
    """Takes the bytes in order; :meth:`flush` comes last."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


def dump(request: RestoreRequest, out: Out, observer: Observer, environment: Environment) -> int:
    """Write what ``request.path`` names (a file, or a raw volume) to ``out``; returns how many bytes.

    A dump is complete or fails: raises DamagedError before the first byte when the backup could not read all of the
    file, UsageError for anything but a file, and SegfleetError at the first byte that is lost.
    """
    with (
        tempfile.TemporaryDirectory(prefix="segfleet-dump-") as spool,
        open_session(
            RunNeeds(devices=request.devices, targets={UNNAMED_TARGET: Path(spool)}, purpose="dump"),
            observer,
            environment,
        ) as session,
    ):
        return _Dump(session, request, Path(spool), out).run()


class _Dump:
    def __init__(self, session: RunSession, request: RestoreRequest, spool: Path, out: Out) -> None:
        self._session = session
        self._request = request
        self._out = out
        self._spool = Spool(spool, threads=request.threads or default_threads(len(request.devices)))
        self._answers = Answers()
        #: Device id → name, of the devices that are there.
        self._present: dict[str, str] = {}

    def run(self) -> int:
        snapshot = self._session.catalog.snapshots.find(self._request.snapshot)
        self._present = present_devices(self._session, [snapshot])
        pieces, size_bytes = self._pieces(snapshot)
        position, pending = 0, deque(pieces)
        while pending:
            batch = [pending.popleft() for _ in range(min(_AHEAD_COUNT, len(pending)))]
            self._fetch(batch)
            for piece in batch:
                self._write(zeros(piece.offset_bytes - position))
                self._write(self._way(piece).read(piece))
                position = piece.stop_bytes
        self._write(zeros(size_bytes - position))
        self._out.flush()
        return size_bytes

    def _pieces(self, snapshot: SnapshotRow) -> tuple[list[Piece], int]:
        """The pieces that hold the data, by offset, and the size of the whole."""
        entry, wanted = self._file_meant(snapshot)
        # A file that was cut while it was backed up ends here.
        size_bytes = wanted.short.get(entry.index, entry.size_bytes)
        plan = RestorePlan(self._session.catalog, snapshot, _selection(entry.snapshot_path), wanted)
        whole = [Piece.of(row, pick).up_to(size_bytes) for row in plan.segments() for pick in plan.picks(row)]
        unread = wanted.unread.get(entry.index)
        holes = unread.holes if unread is not None else _holes_between(whole, size_bytes)
        if holes and (unread is not None or not _is_raw_volume(entry, snapshot)):
            raise DamagedError(f"{self._request.path!r} is not whole: {holes[0]}")
        pieces = [part for piece in whole for part in piece.cut(self._way(piece).piece_bytes)]
        return sorted(pieces, key=lambda piece: piece.offset_bytes), size_bytes

    def _file_meant(self, snapshot: SnapshotRow) -> tuple[Entry, Wanted]:
        """The file or raw volume that the request names, possibly under another of its hard links."""
        entry, wanted = self._find(snapshot, self._request.path)
        if entry.kind == "hardlink":
            entry, wanted = self._find(snapshot, entry.link)
        if entry.kind != "file":
            raise UsageError(
                f"{self._request.path!r} is not a file but a {entry.kind}", hint="name one file, or use restore"
            )
        return entry, wanted

    def _find(self, snapshot: SnapshotRow, path: str) -> tuple[Entry, Wanted]:
        wanted = find_wanted(self._session.catalog, snapshot.snapshot_id, _selection(path))
        reader = self._session.catalog.listing.reader(snapshot.snapshot_id)
        return reader.entry(wanted.first_entry), wanted

    def _way(self, piece: Piece) -> Spool | Answers:
        device = self._present.get(piece.row.device_id or "")
        return self._answers if device is not None and self._session.fleet.is_shared(device) else self._spool

    def _fetch(self, batch: list[Piece]) -> None:
        orders: dict[str, list[Order]] = {}
        ways: dict[str, Spool | Answers] = {}
        for piece in batch:
            device_id = piece.row.device_id or ""
            device = self._present.get(device_id)
            if device is None:
                raise DamagedError(f"a part lies on device {piece.row.device}, which is not there")
            order = self._way(piece).order(piece, self._session.order_fields(device, device_id=device_id))
            orders.setdefault(device, []).append(order)
            ways[order.order_id] = self._way(piece)

        def take(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None:
                raise DamagedError(receipt.failure.message, hint=receipt.failure.hint)
            ways[order.order_id].take(order, receipt.result)

        for device, why in run_wave(self._session, orders, take).items():
            raise SegfleetError(f"device {device} died: {why}", hint="run the dump again")

    def _write(self, parts: Iterable[bytes]) -> None:
        for data in parts:
            self._out.write(data)


def _selection(path: str) -> Selection:
    return Selection.of(path, (), ())


def _is_raw_volume(entry: Entry, snapshot: SnapshotRow) -> bool:
    return any(source.name == entry.source and source.mode == "raw" for source in snapshot.sources)


def _holes_between(pieces: Iterable[Piece], size_bytes: int) -> list[Hole]:
    """The parts of [0, size) that no piece holds: zeros of a raw volume, lost bytes of a file."""
    covered = merged(Range(piece.offset_bytes, piece.stop_bytes) for piece in pieces)
    return [
        Hole(offset_bytes=gap.start, size_bytes=gap.size_bytes, why="no segment holds them")
        for gap in gaps(covered, size_bytes)
    ]
