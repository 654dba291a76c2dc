"""Two ways to get stored bytes from a device's workers to this process.

Workers of this process write to a folder that both know, which is fast.  Agents, on any host, send the bytes in their
receipts, a few MiB at a time.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.requests import UNNAMED_TARGET
from producer.restore.planning.picks import Pick
from tasks.errors import DamagedError
from tasks.orders import MAX_READ_BYTES, Order, ReadSegment, RestoreSegment
from tasks.receipts import ReadResult, RestoreResult
from tasks.values import MAX_OFFSET_BYTES

_COPY_BYTES = 1024 * 1024
_ZEROS = bytes(_COPY_BYTES)


class Piece(Struct, frozen=True, kw_only=True):
    """A range of the file or raw volume that lies in one object; ``stream_offset_bytes``: in its own stream."""

    object: StoredObject
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int

    @classmethod
    def of(cls, stored: StoredObject, pick: Pick) -> Piece:
        return cls(
            object=stored,
            stream_offset_bytes=pick.stream_offset_bytes,
            offset_bytes=pick.offset_bytes,
            size_bytes=pick.size_bytes,
        )

    @property
    def stop_bytes(self) -> int:
        return self.offset_bytes + self.size_bytes

    def up_to(self, stop_bytes: int) -> Piece:
        """The same range, cut at ``stop_bytes``."""
        return replace(self, size_bytes=max(0, min(self.stop_bytes, stop_bytes) - self.offset_bytes))

    def after(self, start_bytes: int) -> Piece:
        """The same range, without what lies before ``start_bytes``."""
        before_bytes = max(0, start_bytes - self.offset_bytes)
        return replace(
            self,
            stream_offset_bytes=self.stream_offset_bytes + before_bytes,
            offset_bytes=self.offset_bytes + before_bytes,
            size_bytes=self.size_bytes - before_bytes,
        )

    def cut(self, limit_bytes: int) -> Iterator[Piece]:
        """The same range, cut where its place in the stream is a multiple of ``limit_bytes``.

        With the size of a unit no two pieces need the same unit.
        """
        start = 0
        while start < self.size_bytes:
            stream_offset_bytes = self.stream_offset_bytes + start
            size_bytes = min(limit_bytes - stream_offset_bytes % limit_bytes, self.size_bytes - start)
            yield replace(
                self,
                stream_offset_bytes=stream_offset_bytes,
                offset_bytes=self.offset_bytes + start,
                size_bytes=size_bytes,
            )
            start += size_bytes


class Spool:
    """Through files of a folder, one for each piece; the workers know it as their unnamed target."""

    #: Pieces are not cut: no byte of them is held in memory.
    piece_bytes = MAX_OFFSET_BYTES

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._folder = folder
        self._threads = threads

    def order(self, piece: Piece, fields: dict[str, Any]) -> Order:
        return RestoreSegment(
            order_id=(order_id := uuid.uuid4().hex),
            object_id=piece.object.object_id,
            trailer_digest=piece.object.proof,
            target=UNNAMED_TARGET,
            paths=(order_id,),
            stream_offsets_bytes=(piece.stream_offset_bytes,),
            offsets_bytes=(0,),
            sizes_bytes=(piece.size_bytes,),
            metadata=((0o600, os.geteuid(), os.getegid(), 0),),
            overwrite="always",
            threads=self._threads,
            **fields,
        )

    def take(self, _order: Order, result: RestoreResult) -> None:
        """Raises DamagedError if something is missing: the bytes themselves could not show it."""
        for trouble in result.troubles:
            raise DamagedError(f"from byte {trouble.offset_bytes} of an object: {trouble.message}")

    def read(self, order: Order) -> Iterator[bytes]:
        """The bytes that the order asked for, once; removes their file."""
        assert isinstance(order, RestoreSegment)
        path = self._folder / order.order_id
        with open(path, "rb") as file:
            while data := file.read(_COPY_BYTES):
                yield data
            # Zeros at the end of a piece are a hole, which makes the file too short.
            yield from zeros(order.sizes_bytes[0] - file.tell())
        path.unlink()


class Answers:
    """Inside the receipts; a piece is in memory from its receipt until it is written."""

    piece_bytes = MAX_READ_BYTES

    def __init__(self) -> None:
        #: By the id of their order.
        self._data: dict[str, bytes] = {}

    def order(self, piece: Piece, fields: dict[str, Any]) -> Order:
        return ReadSegment(
            order_id=uuid.uuid4().hex,
            object_id=piece.object.object_id,
            trailer_digest=piece.object.proof,
            stream_offset_bytes=piece.stream_offset_bytes,
            size_bytes=piece.size_bytes,
            **fields,
        )

    def take(self, order: Order, result: ReadResult) -> None:
        """Raises DamagedError for an answer that does not hold the bytes of the range."""
        assert isinstance(order, ReadSegment)
        try:
            data = base64.b64decode(result.data_base64, validate=True)
        except ValueError as error:
            raise DamagedError(f"device {order.device} has sent invalid base64: {error}") from error
        if len(data) != order.size_bytes:
            raise DamagedError(f"device {order.device} has sent {len(data)} bytes instead of {order.size_bytes}")
        self._data[order.order_id] = data

    def read(self, order: Order) -> Iterator[bytes]:
        """The bytes that the order asked for, once."""
        yield self._data.pop(order.order_id)


def zeros(size_bytes: int) -> Iterator[bytes]:
    """``size_bytes`` zeros, a part at a time."""
    for start in range(0, size_bytes, _COPY_BYTES):
        yield _ZEROS[: size_bytes - start]
