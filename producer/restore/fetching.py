"""Two ways for stored bytes to come from a device's workers to this process.

Workers of this process write to a folder that both know, which is fast.  Agents, on whatever host, send the bytes back
in their receipts, a few MiB at a time.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from producer.catalog.tables.segments.rows import SegmentRow
from producer.requests import UNNAMED_TARGET
from producer.restore.plan import Pick
from tasks.errors import DamagedError
from tasks.orders import MAX_READ_BYTES, Order, ReadSegment, RestoreSegment
from tasks.receipts import ReadResult, RestoreResult
from tasks.values import MAX_OFFSET_BYTES

_COPY_BYTES = 1024 * 1024
_ZEROS = bytes(_COPY_BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A range of what is fetched, which lies in one segment."""

    row: SegmentRow
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int

    @classmethod
    def of(cls, row: SegmentRow, pick: Pick) -> Piece:
        return cls(
            row=row,
            stream_offset_bytes=pick.stream_offset_bytes,
            offset_bytes=pick.offset_bytes,
            size_bytes=pick.size_bytes,
        )

    @property
    def stop_bytes(self) -> int:
        return self.offset_bytes + self.size_bytes

    def up_to(self, stop_bytes: int) -> Piece:
        """The same range, ending there at the latest."""
        return replace(self, size_bytes=max(0, min(self.stop_bytes, stop_bytes) - self.offset_bytes))

    def cut(self, limit_bytes: int) -> Iterator[Piece]:
        """The same range in pieces of ``limit_bytes`` at most."""
        for start in range(0, self.size_bytes, limit_bytes):
            yield replace(
                self,
                stream_offset_bytes=self.stream_offset_bytes + start,
                offset_bytes=self.offset_bytes + start,
                size_bytes=min(limit_bytes, self.size_bytes - start),
            )


class Spool:
    """By files of a folder, one for each piece, which the workers know as their unnamed target."""

    #: A piece is as large as it is: no byte of it is held in memory.
    piece_bytes = MAX_OFFSET_BYTES

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._folder = folder
        self._threads = threads

    def order(self, piece: Piece, fields: dict[str, Any]) -> Order:
        return RestoreSegment(
            order_id=uuid.uuid4().hex,
            segment_id=piece.row.segment_id,
            target=UNNAMED_TARGET,
            paths=(_name(piece),),
            stream_offsets_bytes=(piece.stream_offset_bytes,),
            offsets_bytes=(0,),
            sizes_bytes=(piece.size_bytes,),
            metadata=((),),
            overwrite="always",
            threads=self._threads,
            **fields,
        )

    def take(self, _order: Order, result: RestoreResult) -> None:
        """Raises DamagedError for what is missing: it could not be told in the bytes."""
        for trouble in result.troubles:
            raise DamagedError(f"bytes {trouble.offset_bytes} and further of a segment: {trouble.message}")

    def read(self, piece: Piece) -> Iterator[bytes]:
        """The bytes of the piece, once; its file is gone then."""
        path = self._folder / _name(piece)
        with open(path, "rb") as file:
            while data := file.read(_COPY_BYTES):
                yield data
            # The end of a piece that is zeros is a hole that nobody has made yet.
            yield from zeros(piece.size_bytes - file.tell())
        path.unlink()


class Answers:
    """In the receipts themselves; a piece is in memory from its receipt until it is written."""

    piece_bytes = MAX_READ_BYTES

    def __init__(self) -> None:
        self._data: dict[tuple[str, int], bytes] = {}

    def order(self, piece: Piece, fields: dict[str, Any]) -> Order:
        return ReadSegment(
            order_id=uuid.uuid4().hex,
            segment_id=piece.row.segment_id,
            stream_offset_bytes=piece.stream_offset_bytes,
            size_bytes=piece.size_bytes,
            **fields,
        )

    def take(self, order: Order, result: ReadResult) -> None:
        """Raises DamagedError for an answer that is not the bytes of the range."""
        assert isinstance(order, ReadSegment)
        try:
            data = base64.b64decode(result.data_base64, validate=True)
        except ValueError as error:
            raise DamagedError(f"device {order.device} has sent no base64: {error}") from error
        if len(data) != order.size_bytes:
            raise DamagedError(f"device {order.device} has sent {len(data)} bytes in place of {order.size_bytes}")
        self._data[order.segment_id, order.stream_offset_bytes] = data

    def read(self, piece: Piece) -> Iterator[bytes]:
        """The bytes of the piece, once."""
        yield self._data.pop((piece.row.segment_id, piece.stream_offset_bytes))


def zeros(size_bytes: int) -> Iterator[bytes]:
    """So many zeros, a part at a time."""
    for start in range(0, size_bytes, _COPY_BYTES):
        yield _ZEROS[: size_bytes - start]


def _name(piece: Piece) -> str:
    return f"{piece.row.number}.{piece.offset_bytes}"
