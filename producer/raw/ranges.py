"""Ranges [start, stop) of a volume's bytes, ascending and apart.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Range(NamedTuple):
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.stop - self.start


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
    """What of [0, size) lies in none of ``ranges``."""
    edges = [0, *(edge for item in ranges for edge in item), size_bytes]
    return [Range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]


def inside(ranges: Iterable[Range], within: Range) -> Iterator[Range]:
    """The parts of ``ranges`` that lie in ``within``."""
    for item in ranges:
        if item.start >= within.stop:
            return
        if item.stop > within.start:
            yield Range(max(item.start, within.start), min(item.stop, within.stop))


def widened(ranges: Iterable[Range], grid_bytes: int, size_bytes: int) -> list[Range]:
    """The smallest ranges over ``ranges`` that begin and end at multiples of ``grid_bytes``, or at the end."""
    return merged(
        Range(item.start // grid_bytes * grid_bytes, min(size_bytes, -(-item.stop // grid_bytes) * grid_bytes))
        for item in ranges
    )
