"""Ranges [start, stop) of a raw volume's bytes, ascending and apart.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple


class Range(NamedTuple):
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.stop - self.start


_STOP = attrgetter("stop")


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes in as few ranges as possible."""
    found: list[Range] = []
    for item in sorted(ranges):
        if item.start >= item.stop:
            continue
        if found and item.start <= found[-1].stop:
            found[-1] = Range(found[-1].start, max(found[-1].stop, item.stop))
        else:
            found.append(item)
    return found


def gaps(ranges: Sequence[Range], size_bytes: int) -> list[Range]:
    """The parts of [0, size) that lie in none of ``ranges``."""
    edges = [0, *(edge for item in ranges for edge in item), size_bytes]
    return [Range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]


def inside(ranges: Sequence[Range], within: Range) -> Iterator[Range]:
    """The parts of ``ranges`` that lie in ``within``."""
    # A binary search: for a raw volume of 1 TiB this is called for 262,144 cells, over as many ranges.
    place = bisect_right(ranges, within.start, key=_STOP)
    while place < len(ranges) and ranges[place].start < within.stop:
        item = ranges[place]
        yield Range(max(item.start, within.start), min(item.stop, within.stop))
        place += 1


def widened(ranges: Iterable[Range], grid_bytes: int, size_bytes: int) -> list[Range]:
    """The smallest ranges that cover ``ranges`` and begin and end at multiples of ``grid_bytes`` or at the end."""
    return merged(
        Range(item.start // grid_bytes * grid_bytes, min(size_bytes, -(-item.stop // grid_bytes) * grid_bytes))
        for item in ranges
    )
