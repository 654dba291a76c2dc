"""The data of a file with holes is fetched as if there were none, and the holes are put back as zeros.

So ranges that lie side by side in a segment are fetched as one, however many holes were between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.data_ranges import DataRanges, data_before
from producer.restore.planning.picks import Pick
from producer.restore.reading.ways import Piece, zeros


class Out(Protocol):
    """Takes the bytes in order; :meth:`flush` comes last."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


def pieces_of_data(row: SegmentRow, picks: Iterable[Pick], ranges: DataRanges) -> Iterator[Piece]:
    """What a segment holds of one file, in as few pieces as possible; their offsets count the file's data alone.

    ``ranges``: where the file has data.
    """
    before: Piece | None = None
    for pick in picks:
        piece = replace(Piece.of(row, pick), offset_bytes=data_before(ranges, pick.offset_bytes))
        if before is not None and _follows(piece, before):
            before = replace(before, size_bytes=before.size_bytes + piece.size_bytes)
            continue
        if before is not None:
            yield before
        before = piece
    if before is not None:
        yield before


def _follows(piece: Piece, before: Piece) -> bool:
    stop = (before.stream_offset_bytes + before.size_bytes, before.stop_bytes)
    return stop == (piece.stream_offset_bytes, piece.offset_bytes)


class WithHoles:
    """Takes the data of a file alone, and writes the file to ``out``: ``size_bytes`` of it."""

    def __init__(self, out: Out, ranges: DataRanges, size_bytes: int) -> None:
        self._out = out
        self._rest: Iterator[tuple[int, int]] = iter(ranges)
        self._size_bytes = size_bytes
        self._position = 0
        #: Of the range that is being written.
        self._stop_bytes = 0

    def write(self, data: bytes, /) -> int:
        view = memoryview(data)
        while view:
            if self._position == self._stop_bytes:
                start_bytes, range_bytes = next(self._rest)
                self._fill_to(start_bytes)
                self._stop_bytes = start_bytes + range_bytes
            part = view[: self._stop_bytes - self._position]
            self._put(bytes(part))
            view = view[len(part) :]
        return len(data)

    def flush(self) -> None:
        self._fill_to(self._size_bytes)
        self._out.flush()

    def _fill_to(self, offset_bytes: int) -> None:
        for part in zeros(offset_bytes - self._position):
            self._put(part)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)
