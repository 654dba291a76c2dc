"""Ranges (offset, size) of a segment's stream.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def without(ranges: Iterable[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of the ranges lies in none of ``taken``; both ascend."""
    left: list[tuple[int, int]] = []
    for offset_bytes, size_bytes in ranges:
        start, stop = offset_bytes, offset_bytes + size_bytes
        for other, length in taken:
            if other + length <= start or other >= stop:
                continue
            if other > start:
                left.append((start, other - start))
            start = max(start, other + length)
        if start < stop:
            left.append((start, stop - start))
    return left


def joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The ranges, which ascend, with those as one that touch; empty ones are left out."""
    found: list[tuple[int, int]] = []
    for offset_bytes, size_bytes in ranges:
        if found and sum(found[-1]) == offset_bytes:
            found[-1] = found[-1][0], found[-1][1] + size_bytes
        elif size_bytes:
            found.append((offset_bytes, size_bytes))
    return tuple(found)
