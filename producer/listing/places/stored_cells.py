"""The cells that a stored segment consists of: where each begins in its stream, how long it is, and its digest.

What tells without reading a device whether a file still holds what the segment has of it.  Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from tasks.digests import NO_DIGEST, cells_of, split_digests
from tasks.values import Extents

#: Ranges [start, stop) of indexes, ascending and apart.
IndexRanges = Sequence[Sequence[int]]

#: Where a cell begins in the stream → its size and digest.
StoredCells = dict[int, tuple[int, bytes]]


class CellColumns(NamedTuple):
    """The cells that a segment's stream consists of, in order; NO_DIGEST where it is not certain what was read."""

    sizes_bytes: Sequence[int]
    #: One after the other.
    digests: bytes


def columns_of(cells: StoredCells) -> CellColumns:
    """The cells as columns; what lies between them has no digest."""
    sizes_bytes, digests, at = list[int](), bytearray(), 0
    for start, (size_bytes, digest) in sorted(cells.items()):
        if start > at:
            sizes_bytes.append(start - at)
            digests += NO_DIGEST
        sizes_bytes.append(size_bytes)
        digests += digest
        at = start + size_bytes
    return CellColumns(sizes_bytes, bytes(digests))


def cells_in(columns: CellColumns) -> StoredCells:
    """The cells of which the digest is known."""
    starts = accumulate(columns.sizes_bytes, initial=0)
    found = zip(starts, columns.sizes_bytes, split_digests(columns.digests), strict=False)
    return {start: (size_bytes, digest) for start, size_bytes, digest in found if digest != NO_DIGEST}


def index_ranges(indexes: Iterable[int]) -> list[tuple[int, int]]:
    """The indexes, which ascend, as ranges."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index:
            found[-1] = found[-1][0], index + 1
        else:
            found.append((index, index + 1))
    return found


def indexes_in(ranges: IndexRanges) -> Iterator[int]:
    return (index for start, stop in ranges for index in range(start, stop))


def pack_layout(extents: Extents) -> bytes:
    """The ranges of files that a segment holds, in the order of its stream: some 3 bytes for each."""
    columns = msgspec.msgpack.encode((extents.offsets_bytes, extents.sizes_bytes))
    return zlib.compress(columns, 1)


def layout_sizes(layout: bytes) -> list[int]:
    """How long each range of the layout is."""
    return _unpacked(layout)[1]


def _unpacked(layout: bytes) -> tuple[list[int], list[int]]:
    return msgspec.msgpack.decode(zlib.decompress(layout), type=tuple[list[int], list[int]])


def stored_cells(
    layout: bytes,
    *,
    extent_digests: bytes,
    cell_digests: bytes,
    unchanged: IndexRanges = (),
    noted: Collection[int] = (),
) -> StoredCells:
    """The cells of a segment with this layout; the other columns are those of its receipt.

    Without the cells of extents that were ``noted``: of these it is not certain which bytes were read.
    """
    offsets_bytes, sizes_bytes = _unpacked(layout)
    left_out, found = frozenset(indexes_in(unchanged)), StoredCells()
    of_cells, stream_bytes = split_digests(cell_digests), 0
    stored = ((index, one) for index, one in enumerate(split_digests(extent_digests)) if index not in left_out)
    for (index, of_extent), offset_bytes, size_bytes in zip(stored, offsets_bytes, sizes_bytes, strict=True):
        cells = list(cells_of(offset_bytes, size_bytes))
        for start_bytes, cell_bytes in cells:
            digest = of_extent if len(cells) == 1 else next(of_cells)
            if digest != NO_DIGEST and index not in noted:
                found[stream_bytes + start_bytes - offset_bytes] = cell_bytes, digest
        stream_bytes += size_bytes
    return found
