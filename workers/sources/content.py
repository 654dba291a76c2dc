"""Digests of what a segment's extents held when they were read (:mod:`tasks.digests`)."""

from __future__ import annotations

from blake3 import blake3

from tasks.digests import CELL_BYTES, DIGEST_BYTES, cells_count, content_digest, range_digest
from tasks.values import Extents


class ContentDigests:
    """Digests ``extents`` as their bytes come, extent by extent; for one thread at a time.

    Of an extent that was not read to its end, the digest is that of the range that was read, and the cells behind that
    have NO_DIGEST.
    """

    def __init__(self, extents: Extents) -> None:
        #: One for each extent that has ended.
        self.extents = bytearray()
        #: Those of all cells of the extents that have more than one.
        self.cells = bytearray()
        self._offsets_bytes = extents.offsets_bytes
        self._sizes_bytes = extents.sizes_bytes
        self._index = 0
        self._cells_read = b""
        self._cell = blake3()
        self._cell_bytes = 0
        self._read_bytes = 0

    def add_whole(self, data: memoryview) -> None:
        """All of the next extent, which is one cell."""
        self.extents += content_digest(data)
        self._index += 1

    def add(self, data: memoryview) -> None:
        """The next bytes of the extent that is read."""
        while len(data):
            at_bytes = self._offsets_bytes[self._index] + self._read_bytes
            part = data[: CELL_BYTES - at_bytes % CELL_BYTES]
            self._cell.update(part)
            self._cell_bytes += len(part)
            self._read_bytes += len(part)
            if (at_bytes + len(part)) % CELL_BYTES == 0:
                self._end_cell()
            data = data[len(part) :]

    def end_extent(self) -> None:
        """No more bytes come of this extent."""
        if self._cell_bytes:
            self._end_cell()
        self.extents += range_digest(self._cells_read)
        count = cells_count(self._offsets_bytes[self._index], self._sizes_bytes[self._index])
        if count > 1:
            self.cells += self._cells_read.ljust(count * DIGEST_BYTES, b"\0")
        self._index += 1
        self._cells_read, self._read_bytes = b"", 0

    def _end_cell(self) -> None:
        self._cells_read += self._cell.digest()[:DIGEST_BYTES]
        self._cell, self._cell_bytes = blake3(), 0
