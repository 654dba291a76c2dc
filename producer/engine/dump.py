"""A dump: the bytes of one file or volume of a snapshot, in order, to an open file.

The pieces are fetched in turn, a few at a time (:mod:`producer.engine.fetching`), so a dump needs room for a few pieces
only, however large the whole is.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from producer.engine.backup import default_threads
from producer.engine.environment import Environment
from producer.engine.fetching import Answers, Piece, Spool, zeros
from producer.engine.reading import present_devices
from producer.engine.restore_orders import RestorePlan
from producer.engine.selection import Selection
from producer.engine.session import Session, open_session
from producer.engine.wanted import find_wanted
from producer.engine.wave import run_wave
from producer.observer import Observer
from producer.requests import UNNAMED_TARGET, RestoreRequest
from tasks.errors import DamagedError, SegfleetError, UsageError
from tasks.orders import Order
from tasks.receipts import Receipt

#: Pieces under way at a time.
_AHEAD_COUNT = 4


class Out(Protocol):
    """Takes the bytes in order; :meth:`flush` comes last."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


def dump(request: RestoreRequest, out: Out, observer: Observer, environment: Environment) -> int:
    """Write what ``request.path`` names (a file, or a raw volume) to ``out``; returns how many bytes.

    Raises SegfleetError at the first byte that cannot be had: a dump is whole, or it fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="segfleet-dump-") as spool,
        open_session(
            devices=request.devices,
            sources={},
            targets={UNNAMED_TARGET: Path(spool)},
            purpose="dump",
            observer=observer,
            environment=environment,
        ) as session,
    ):
        return _Dump(session, request, Path(spool), out).run()


class _Dump:
    def __init__(self, session: Session, request: RestoreRequest, spool: Path, out: Out) -> None:
        self._session = session
        self._request = request
        self._out = out
        self._spool = Spool(spool, threads=request.threads or default_threads(len(request.devices)))
        self._answers = Answers()
        #: Device id → name, of the devices that are there.
        self._present: dict[str, str] = {}

    def run(self) -> int:
        self._present = present_devices(self._session)
        pieces, size_bytes = self._pieces()
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

    def _pieces(self) -> tuple[list[Piece], int]:
        """What holds the data, by offset, and the size of the whole."""
        catalog = self._session.catalog
        snapshot = catalog.find_snapshot(self._request.snapshot)
        selection = Selection.of(self._request.path, (), ())
        wanted = find_wanted(catalog, snapshot.snapshot_id, selection)
        if wanted.stop_entry - wanted.first_entry != 1:
            raise UsageError(f"{self._request.path!r} is a folder", hint="name one file, or use restore")
        if wanted.not_stored:
            raise SegfleetError(f"{self._request.path!r} could not be read when it was backed up")
        plan = RestorePlan(catalog, snapshot, selection, wanted)
        whole = [Piece.of(row, pick) for row in plan.segments() for pick in plan.picks(row)]
        pieces = [part for piece in whole for part in piece.cut(self._way(piece).piece_bytes)]
        return sorted(pieces, key=lambda piece: piece.offset_bytes), wanted.bytes_total

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
