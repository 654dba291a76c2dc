"""Ranges (offset, size) of a segment's stream.  Pure."""

from __future__ import annotations

from collections.abc import Iterable


def joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The ranges, which ascend, with those as one that touch; empty ones are left out."""
    found: list[tuple[int, int]] = []
    for offset_bytes, size_bytes in ranges:
        if found and sum(found[-1]) == offset_bytes:
            found[-1] = found[-1][0], found[-1][1] + size_bytes
        elif size_bytes:
            found.append((offset_bytes, size_bytes))
    return tuple(found)
