"""What the extents of a segment hold, by the digests in its trailer: without reading a unit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from tasks.digests import DIGEST_BYTES, NO_DIGEST, cells_count, cells_of
from tasks.errors import DamagedError
from workers.format.reader import SegmentReader


class Cell(NamedTuple):
    """A range of a file; ``digest`` is None where only the stored data tells what it holds."""

    offset_bytes: int
    size_bytes: int
    digest: bytes | None


class KnownContent:
    """What is known about one segment; nothing without its header or its trailer."""

    def __init__(self, reader: SegmentReader) -> None:
        try:
            extents, trailer = reader.header.extents, reader.trailer
        except DamagedError:
            self._starts_bytes: list[int] = []
            return
        self._offsets_bytes, self._sizes_bytes = extents.offsets_bytes, list(extents.sizes_bytes)
        self._starts_bytes = list(accumulate(self._sizes_bytes, initial=0))[:-1]
        counts = map(cells_count, extents.offsets_bytes, extents.sizes_bytes)
        self._cell_places = list(accumulate((count if count > 1 else 0 for count in counts), initial=0))
        self._extent_digests, self._cell_digests = trailer.extent_digests, trailer.cell_digests
        #: Digests cover what was read.
        for note in trailer.notes:
            self._sizes_bytes[note.index] = note.read_bytes
        self._planned_bytes = extents.sizes_bytes

    def cells(self, stream_offset_bytes: int, offset_bytes: int, size_bytes: int) -> Iterator[Cell]:
        """The range of the stream, which belongs at ``offset_bytes`` of its file, cut as the digests are."""
        known = self._known(stream_offset_bytes, offset_bytes)
        for start_bytes, length_bytes in cells_of(offset_bytes, size_bytes):
            yield Cell(start_bytes, length_bytes, known.get((start_bytes, length_bytes)))

    def _known(self, stream_offset_bytes: int, offset_bytes: int) -> dict[tuple[int, int], bytes]:
        """(offset, size) in the file → digest, of all cells of the extent; none of another file's."""
        index = bisect_right(self._starts_bytes, stream_offset_bytes) - 1
        # Empty extents begin where the next one does, which is the last of them.
        if index < 0 or self._offsets_bytes[index] + stream_offset_bytes - self._starts_bytes[index] != offset_bytes:
            return {}
        begin_bytes, stop_bytes = self._offsets_bytes[index], self._offsets_bytes[index] + self._sizes_bytes[index]
        cells = list(cells_of(begin_bytes, self._planned_bytes[index]))
        place = self._cell_places[index]
        digests = (
            [self._extent_digests[index * DIGEST_BYTES :][:DIGEST_BYTES]]
            if len(cells) == 1
            else [self._cell_digests[(place + number) * DIGEST_BYTES :][:DIGEST_BYTES] for number in range(len(cells))]
        )
        return {
            (start, min(size, stop_bytes - start)): digest
            for (start, size), digest in zip(cells, digests, strict=True)
            if len(digest) == DIGEST_BYTES and digest != NO_DIGEST
        }
