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


def united(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What lies in any of the ranges: ascending and apart."""
    found: list[tuple[int, int]] = []
    for offset_bytes, size_bytes in sorted(ranges):
        if found and offset_bytes <= sum(found[-1]):
            start, length = found[-1]
            found[-1] = start, max(length, offset_bytes + size_bytes - start)
        elif size_bytes:
            found.append((offset_bytes, size_bytes))
    return found


def shared(ranges: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What lies in both; each ascends and is apart."""
    found: list[tuple[int, int]] = []
    number = place = 0
    while number < len(ranges) and place < len(others):
        start, stop = ranges[number][0], sum(ranges[number])
        first, last = max(start, others[place][0]), min(stop, sum(others[place]))
        if first < last:
            found.append((first, last - first))
        if stop < sum(others[place]):
            number += 1
        else:
            place += 1
    return found


def bytes_in(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(size_bytes for _, size_bytes in ranges)
