"""What a segment that has just been stored holds of its files, cell by cell: to be read again and compared.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from producer.listing.extents import SegmentContents
from producer.listing.places.places import Place
from producer.listing.places.stored_cells import IndexRanges, indexes_in
from producer.listing.places.stored_ranges import without
from tasks.digests import cells_of
from tasks.values import Extents


def stored_contents(
    contents: SegmentContents, segment_id: str, *, unchanged: IndexRanges, held: Sequence[tuple[int, int]]
) -> SegmentContents | None:
    """The cells of ``contents``, without the extents that were left out as ``unchanged`` when the segment was stored.

    ``held``: the ranges of the stream that need not be read.  ``former`` says where in the segment each cell is.
    None when there is nothing.
    """
    left_out, stream_bytes = frozenset(indexes_in(unchanged)), 0
    found: list[tuple[int, Place]] = []
    for index, extent in enumerate(contents.extents):
        if index in left_out:
            continue
        for offset_bytes, size_bytes in cells_of(extent.offset_bytes, extent.size_bytes):
            at = stream_bytes + offset_bytes - extent.offset_bytes
            if without([(at, size_bytes)], held):
                found.append((index, Place(segment_id, at, offset_bytes, size_bytes)))
        stream_bytes += extent.size_bytes
    return _contents(contents, found) if found else None


def _contents(contents: SegmentContents, found: Sequence[tuple[int, Place]]) -> SegmentContents:
    indexes, places = [index for index, _ in found], [place for _, place in found]
    paths = tuple(contents.extents.paths[index] for index in indexes)
    counts, sparse = Counter(paths), frozenset(contents.sparse)
    return SegmentContents(
        source=contents.source,
        extents=Extents(
            paths=paths,
            offsets_bytes=tuple(place.offset_bytes for place in places),
            sizes_bytes=tuple(place.size_bytes for place in places),
        ),
        entries=[contents.entries[index] for index in indexes],
        states=contents.states.at(indexes),
        sparse=[place for place, index in enumerate(indexes) if index in sparse or counts[paths[place]] > 1],
        former=list(places),
    )
