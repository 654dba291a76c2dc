"""Where a sparse file has data: all else in it is holes, which are neither read nor stored.

The plan, the segments and a dump count the bytes of a file's data as if there were no holes between them.  For a file
without holes that is its offset.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from tasks.values import Count

#: Offset and size of each range of data, ascending and apart, none of them empty.
DataRanges = Sequence[tuple[Count, Count]]

#: Of one file.  Each is an extent of a segment, and costs as much as a small file.
MAX_RANGES = 4096


def data_bytes(ranges: DataRanges) -> int:
    return sum(size_bytes for _, size_bytes in ranges)


def data_before(ranges: DataRanges, offset_bytes: int) -> int:
    """How many bytes of data the file has before this offset."""
    before = takewhile(lambda item: item[0] < offset_bytes, ranges)
    return sum(min(size_bytes, offset_bytes - start) for start, size_bytes in before)


def part_of(ranges: DataRanges, start_bytes: int, stop_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size in the file of each part of its data from byte ``start`` to ``stop``, counted without holes."""
    before_bytes = 0
    for offset_bytes, size_bytes in ranges:
        first, last = max(start_bytes, before_bytes), min(stop_bytes, before_bytes + size_bytes)
        if first < last:
            yield offset_bytes + first - before_bytes, last - first
        before_bytes += size_bytes


def up_to(ranges: DataRanges, size_bytes: int) -> list[tuple[int, int]]:
    """The ranges of the file when it is cut to this size."""
    return [(start, min(length, size_bytes - start)) for start, length in ranges if start < size_bytes]


def without_smallest_holes(ranges: DataRanges, count: int) -> list[tuple[int, int]]:
    """At most ``count`` ranges, at least 1, that hold the same data: the smallest holes become part of them."""
    if len(ranges) <= count:
        return list(ranges)
    stops = [offset_bytes + size_bytes for offset_bytes, size_bytes in ranges]
    holes = sorted(range(1, len(ranges)), key=lambda place: stops[place - 1] - ranges[place][0])
    firsts = [0, *sorted(holes[: count - 1])]
    lasts = [*(first - 1 for first in firsts[1:]), len(ranges) - 1]
    return [(ranges[first][0], stops[last] - ranges[first][0]) for first, last in zip(firsts, lasts, strict=True)]


def are_sound(ranges: DataRanges, file_bytes: int) -> bool:
    """Whether these may be the ranges of a file of that size."""
    stop = 0
    for place, (offset_bytes, size_bytes) in enumerate(ranges):
        if size_bytes < 1 or offset_bytes < stop + bool(place):
            return False
        stop = offset_bytes + size_bytes
    return stop <= file_bytes
