"""A dump: the bytes of one file or volume of a snapshot, in order, to an open file.

The workers write to folders, not to the one who asks.  So the segments are restored in turn, a few at a time, each to a
file of a spool folder ($TMPDIR); it is copied from there, and removed.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from producer.catalog.rows import SegmentRow
from producer.engine.backup import default_threads
from producer.engine.environment import Environment
from producer.engine.reading import present_devices
from producer.engine.restore_orders import Pick, RestorePlan
from producer.engine.selection import Selection
from producer.engine.session import Session, open_session
from producer.engine.wanted import find_wanted
from producer.engine.wave import run_wave
from producer.observer import Observer
from producer.requests import UNNAMED_TARGET, RestoreRequest
from tasks.errors import DamagedError, SegfleetError, UsageError
from tasks.orders import Order, RestoreSegment
from tasks.receipts import Receipt

#: Segments in the spool at a time.
_AHEAD_COUNT = 4

_ZEROS = bytes(1024 * 1024)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """One extent of what is dumped, and its file in the spool."""

    row: SegmentRow
    pick: Pick
    name: str

    @property
    def stop_bytes(self) -> int:
        return self.pick.offset_bytes + self.pick.size_bytes


def dump(request: RestoreRequest, out: BinaryIO, observer: Observer, environment: Environment) -> int:
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
    def __init__(self, session: Session, request: RestoreRequest, spool: Path, out: BinaryIO) -> None:
        self._session = session
        self._request = request
        self._spool = spool
        self._out = out
        self._present: dict[str, str] = {}

    def run(self) -> int:
        self._present = present_devices(self._session)
        pieces, size_bytes = self._pieces()
        position, pending = 0, deque(pieces)
        while pending:
            batch = [pending.popleft() for _ in range(min(_AHEAD_COUNT, len(pending)))]
            self._fetch(batch)
            for piece in batch:
                self._write_zeros(piece.pick.offset_bytes - position)
                self._copy(piece)
                position = piece.stop_bytes
        self._write_zeros(size_bytes - position)
        self._out.flush()
        return size_bytes

    def _pieces(self) -> tuple[list[_Piece], int]:
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
        pieces = [
            _Piece(row=row, pick=pick, name=f"{row.number}") for row in plan.segments() for pick in plan.picks(row)
        ]
        return sorted(pieces, key=lambda piece: piece.pick.offset_bytes), wanted.bytes_total

    def _fetch(self, batch: list[_Piece]) -> None:
        orders: dict[str, list[Order]] = {}
        for piece in batch:
            device_id = piece.row.device_id or ""
            if device_id not in self._present:
                raise DamagedError(f"a part lies on device {piece.row.device}, which is not there")
            orders.setdefault(self._present[device_id], []).append(self._order(piece, device_id))
        for device, why in run_wave(self._session, orders, _check).items():
            raise SegfleetError(f"device {device} died: {why}", hint="run the dump again")

    def _order(self, piece: _Piece, device_id: str) -> RestoreSegment:
        pick = piece.pick
        return RestoreSegment(
            order_id=uuid.uuid4().hex,
            segment_id=piece.row.segment_id,
            target=UNNAMED_TARGET,
            paths=(piece.name,),
            stream_offsets_bytes=(pick.stream_offset_bytes,),
            offsets_bytes=(0,),
            sizes_bytes=(pick.size_bytes,),
            metadata=((),),
            overwrite="always",
            threads=self._request.threads or default_threads(len(self._present)),
            **self._session.order_fields(self._present[device_id], device_id=device_id),
        )

    def _copy(self, piece: _Piece) -> None:
        path = self._spool / piece.name
        with open(path, "rb") as file:
            shutil.copyfileobj(file, self._out, len(_ZEROS))
            # The end of a piece that is zeros is a hole that nobody has made yet.
            self._write_zeros(piece.pick.size_bytes - file.tell())
        path.unlink()

    def _write_zeros(self, size_bytes: int) -> None:
        for part_bytes in _parts(size_bytes):
            self._out.write(_ZEROS[:part_bytes])


def _check(order: Order, receipt: Receipt) -> None:
    """Raises the failure of an order: what is missing in a dump cannot be told in it."""
    if receipt.failure is not None:
        raise DamagedError(receipt.failure.message, hint=receipt.failure.hint)
    for trouble in receipt.result.troubles:
        raise DamagedError(f"bytes {trouble.offset_bytes} and further of a segment: {trouble.message}")


def _parts(size_bytes: int) -> Iterator[int]:
    while size_bytes > 0:
        yield min(size_bytes, len(_ZEROS))
        size_bytes -= len(_ZEROS)
