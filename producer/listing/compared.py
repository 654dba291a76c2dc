"""Files that are compared with what earlier segments hold of them: how they are cut into extents, and what is known.

Each extent is a part of one cell (:mod:`tasks.digests`), and what an earlier segment holds of it lies in one place.  So
its digest can be known, and what has changed in a large file costs no more than its cells.  Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice, pairwise

from producer.listing.data_ranges import DataRanges, part_of
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place
from tasks.digests import CELL_BYTES, cells_of

#: A shorter end of a file that has grown is stored again with what is new: else a log that grows by a line a day would
#: consist of lines.
_LEAST_TAIL_BYTES = 1024 * 1024

#: A file in more places than this is stored again as a whole: 4 TiB of cells that lie apart.
_MAX_PLACES_COUNT = 1024 * 1024


class Former:
    """What earlier segments hold of one file; ``places`` ascend, and count its data as it is now."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._starts = [one.offset_bytes for one in places]

    def at(self, offset_bytes: int, size_bytes: int) -> Place | None:
        """Where that range of the file's data is; None where nothing is known of it, or of a part of it."""
        number = bisect_right(self._starts, offset_bytes) - 1
        if number < 0:
            return None
        place = self._places[number]
        skipped_bytes = offset_bytes - place.offset_bytes
        if skipped_bytes + size_bytes > place.size_bytes:
            return None
        return Place(place.segment_id, place.stream_offset_bytes + skipped_bytes, offset_bytes, size_bytes)

    @property
    def edges(self) -> list[int]:
        """Where places begin and end, ascending."""
        return sorted({edge for one in self._places for edge in (one.offset_bytes, one.offset_bytes + one.size_bytes)})


def former_of(batch: EntryBatch, place: int) -> Former | None:
    """What earlier segments hold of the file at ``place``; None for a file that is not compared."""
    if not batch.former.has(place, batch.names[place]):
        return None
    return Former(list(batch.former_places_of(place)))


def extents_at(
    batch: EntryBatch, place: int, start_bytes: int, stop_bytes: int, former: Former | None
) -> list[tuple[int, int]]:
    """Offset and size in the file of each extent of its data from byte ``start`` to ``stop``, counted without holes."""
    parts = part_of(batch.ranges_at(place), start_bytes, stop_bytes)
    return list(parts) if former is None else list(_cut(parts, start_bytes, former.edges))


def _cut(parts: Iterator[tuple[int, int]], data_bytes: int, edges: Sequence[int]) -> Iterator[tuple[int, int]]:
    """At cells, and at the edges of places, which count data: ``data_bytes`` are before the first part."""
    for offset_bytes, size_bytes in parts:
        for start_bytes, cell_bytes in cells_of(offset_bytes, size_bytes):
            at = data_bytes + start_bytes - offset_bytes
            inside = edges[bisect_right(edges, at) : bisect_left(edges, at + cell_bytes)]
            cuts = [at, *inside, at + cell_bytes]
            yield from ((start_bytes + cut - at, stop - cut) for cut, stop in pairwise(cuts))
        data_bytes += size_bytes


def comparable(
    places: Sequence[Place], before: DataRanges, now: DataRanges, sizes_bytes: tuple[int, int]
) -> list[Place]:
    """What is worth comparing of a file's ``places`` in an earlier snapshot, counted in its data as it is now.

    ``before``, ``now``: its ranges of data; ``sizes_bytes``: its sizes then and now.  Of a file of another size only
    what it has in whole cells may be the same.
    """
    if len(places) > _MAX_PLACES_COUNT:
        return []
    size_bytes, now_bytes = sizes_bytes
    if size_bytes == now_bytes and before == now:
        return list(places)
    if size_bytes != now_bytes and min(sizes_bytes) <= CELL_BYTES:
        return []
    if now_bytes > size_bytes and len(places) > 1 and places[-1].size_bytes < _LEAST_TAIL_BYTES:
        places = places[:-1]
    return list(_onto(_in_file(places, before), now))


def overlaid(under: Sequence[Place], over: Sequence[Place]) -> list[Place]:
    """The places of ``over``, and what ``under`` has between them; both ascend, and so does what is returned."""
    if not over:
        return list(under)
    found, edges = list(over), [0]
    for one in over:
        edges += [one.offset_bytes, one.offset_bytes + one.size_bytes]
    edges.append(max([edges[-1], *(one.offset_bytes + one.size_bytes for one in under)]))
    free = [(start, stop - start) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
    for one in under:
        for start, size_bytes in _common(free, one.offset_bytes, one.offset_bytes + one.size_bytes):
            stream_bytes = one.stream_offset_bytes + start - one.offset_bytes
            found.append(Place(one.segment_id, stream_bytes, start, size_bytes))
    return sorted(found, key=lambda one: one.offset_bytes)


def _common(ranges: DataRanges, start_bytes: int, stop_bytes: int) -> Iterator[tuple[int, int]]:
    """The parts of the ranges, which ascend, from byte ``start`` to ``stop``."""
    first = max(0, bisect_right(ranges, start_bytes, key=lambda one: one[0]) - 1)
    for offset_bytes, size_bytes in islice(ranges, first, None):
        if offset_bytes >= stop_bytes:
            break
        start, stop = max(offset_bytes, start_bytes), min(offset_bytes + size_bytes, stop_bytes)
        if start < stop:
            yield start, stop - start


def _in_file(places: Sequence[Place], ranges: DataRanges) -> Iterator[Place]:
    """The places, one for each range of data that they reach into, with their offsets in the file."""
    for one in places:
        stream_bytes = one.stream_offset_bytes
        for offset_bytes, size_bytes in part_of(ranges, one.offset_bytes, one.offset_bytes + one.size_bytes):
            yield Place(one.segment_id, stream_bytes, offset_bytes, size_bytes)
            stream_bytes += size_bytes


def _onto(places: Iterator[Place], ranges: DataRanges) -> Iterator[Place]:
    """The parts of the places, which have offsets in the file, that lie in ranges of data, and count data."""
    starts = [offset_bytes for offset_bytes, _ in ranges]
    befores = [0, *accumulate(size_bytes for _, size_bytes in ranges)]
    for one in places:
        stop_bytes = one.offset_bytes + one.size_bytes
        for number in range(max(0, bisect_right(starts, one.offset_bytes) - 1), bisect_left(starts, stop_bytes)):
            start, length = ranges[number]
            first, last = max(start, one.offset_bytes), min(start + length, stop_bytes)
            if first < last:
                stream_bytes = one.stream_offset_bytes + first - one.offset_bytes
                yield Place(one.segment_id, stream_bytes, befores[number] + first - start, last - first)
