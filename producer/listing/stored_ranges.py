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
