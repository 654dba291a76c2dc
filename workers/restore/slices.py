"""Which slice of which unit goes where.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tasks.values import MAX_OFFSET_BYTES


class Slice(NamedTuple):
    """Part of one extent that lies in one unit."""

    #: Which extent of the order.
    extent: int
    #: Offsets in the unit's bytes.
    start: int
    stop: int
    #: Offset in the extent.
    extent_start: int


#: Extent → ranges [start, stop) of it that are done, ascending.
Done = dict[int, list[tuple[int, int]]]


def slices_by_unit(
    indexes: Iterable[int],
    stream_offsets_bytes: Sequence[int],
    sizes_bytes: Sequence[int],
    unit_offsets_bytes: Sequence[int],
    located_bytes: int,
) -> dict[int, list[Slice]]:
    """The units that hold the extents ``indexes``, ascending, each with its slices in stream order.

    ``unit_offsets_bytes`` says where each unit begins in the stream, ``located_bytes`` where the last one ends.
    Anything beyond it is assigned to one more unit, which cannot be read.
    """
    unit_starts = [*unit_offsets_bytes, located_bytes]
    unit_stops = [*unit_starts[1:], MAX_OFFSET_BYTES * 2]
    found: dict[int, list[Slice]] = {}
    for index in sorted(indexes, key=stream_offsets_bytes.__getitem__):
        begin = position = stream_offsets_bytes[index]
        end = begin + sizes_bytes[index]
        unit = bisect_right(unit_starts, position) - 1
        while position < end:
            stop = min(end, unit_stops[unit])
            if stop > position:
                unit_start = unit_starts[unit]
                part = Slice(index, position - unit_start, stop - unit_start, position - begin)
                found.setdefault(unit, []).append(part)
            position = stop
            unit += 1
    return found


def left_to_do(
    needed: Mapping[int, Sequence[Slice]], done: Mapping[int, Sequence[tuple[int, int]]]
) -> dict[int, list[Slice]]:
    """The slices of each unit without what is done; units of which nothing is left are left out."""
    if not done:
        return {unit: list(slices) for unit, slices in needed.items()}
    rest = {unit: [left for part in slices for left in _without(part, done)] for unit, slices in needed.items()}
    return {unit: slices for unit, slices in rest.items() if slices}


def _without(part: Slice, done: Mapping[int, Sequence[tuple[int, int]]]) -> Iterator[Slice]:
    position, stop = part.extent_start, part.extent_start + part.stop - part.start
    shift = part.start - part.extent_start
    for done_start, done_stop in done.get(part.extent, ()):
        if done_stop <= position or done_start >= stop:
            continue
        if done_start > position:
            yield Slice(part.extent, position + shift, done_start + shift, position)
        position = done_stop
    if position < stop:
        yield Slice(part.extent, position + shift, stop + shift, position)
