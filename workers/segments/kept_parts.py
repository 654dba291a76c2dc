"""What a new object keeps of an old one: parts of its extents, where they are in its stream, and their notes.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from tasks.receipts import ExtentNote
from tasks.values import Extents
from workers.format.header import SegmentHeader


class KeptPart(NamedTuple):
    """A part of extent number ``extent``; ``stream_offset_bytes`` counts the old object's own stream."""

    extent: int
    offset_bytes: int
    size_bytes: int
    stream_offset_bytes: int


def kept_parts(header: SegmentHeader, ranges: Iterable[tuple[int, int]]) -> list[KeptPart]:
    """The parts of the object's extents that lie in these ranges of the segment's stream, which ascend."""
    starts_bytes = [0, *accumulate(header.extents.sizes_bytes)]
    return [
        part for start, stop in _own_ranges(header.ranges, ranges) for part in _by_extent(starts_bytes, start, stop)
    ]


def extents_of(header: SegmentHeader, parts: Sequence[KeptPart]) -> Extents:
    """The parts as extents of their files."""
    extents = header.extents
    return Extents(
        paths=tuple(extents.paths[part.extent] for part in parts),
        offsets_bytes=tuple(extents.offsets_bytes[part.extent] + part.offset_bytes for part in parts),
        sizes_bytes=tuple(part.size_bytes for part in parts),
    )


def notes_of(notes: Iterable[ExtentNote], parts: Sequence[KeptPart]) -> tuple[ExtentNote, ...]:
    """The notes of the old object that concern the parts."""
    of_index = {note.index: note for note in notes}
    return tuple(
        ExtentNote(
            index=number,
            trouble=note.trouble,
            read_bytes=min(max(0, note.read_bytes - part.offset_bytes), part.size_bytes),
            message=note.message,
        )
        for number, part in enumerate(parts)
        if (note := of_index.get(part.extent)) is not None
    )


def _own_ranges(held: Iterable[tuple[int, int]], ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """[start, stop) in the object's own stream of what it holds of ``ranges``; ``held``: the object's."""
    wanted, own_bytes = iter(ranges), 0
    offset_bytes, size_bytes = next(wanted, (0, 0))
    for start, length in held:
        stop = start + length
        while size_bytes and offset_bytes < stop:
            first, last = max(start, offset_bytes), min(stop, offset_bytes + size_bytes)
            if first < last:
                yield own_bytes + first - start, own_bytes + last - start
            if offset_bytes + size_bytes > stop:
                break
            offset_bytes, size_bytes = next(wanted, (0, 0))
        own_bytes += length


def _by_extent(starts_bytes: Sequence[int], start: int, stop: int) -> Iterator[KeptPart]:
    index = bisect_right(starts_bytes, start) - 1
    while start < stop:
        end = min(stop, starts_bytes[index + 1])
        if start < end:
            yield KeptPart(index, start - starts_bytes[index], end - start, start)
        start, index = end, index + 1
