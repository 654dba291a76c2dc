"""What a changed file is compared with: the same bytes of the file, whatever holes it has now and had then."""

from __future__ import annotations

from itertools import accumulate, pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from producer.listing import compared
from producer.listing.compared import Former, comparable, extents_at, overlaid
from producer.listing.data_ranges import data_bytes, part_of
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place

#: Gap before, and length of, each range of data.
STEPS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=5)


#: Offset and length of ranges, in any order.
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=6)


def ranges_of(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    ends = accumulate(gap + length for gap, length in steps)
    return [(end - length, length) for end, (_, length) in zip(ends, steps, strict=True)]


@st.composite
def places_of(draw: st.DrawFn, total_bytes: int) -> list[Place]:
    """Some of the data, in places of different segments."""
    cuts = sorted(draw(st.sets(st.integers(0, total_bytes), max_size=6)))
    parts = [(start, stop) for start, stop in pairwise(cuts) if draw(st.booleans())]
    return [Place(f"{n:032x}", draw(st.integers(0, 9)), start, stop - start) for n, (start, stop) in enumerate(parts)]


def bytes_at(places: list[Place], ranges: list[tuple[int, int]]) -> dict[int, tuple[str, int]]:
    """Offset in the file → the byte of a stream that is there."""
    found = {}
    for one in places:
        stream = one.stream_offset_bytes
        for offset, size in part_of(ranges, one.offset_bytes, one.offset_bytes + one.size_bytes):
            for at in range(offset, offset + size):
                found[at] = one.segment_id, stream
                stream += 1
    return found


@given(st.data(), STEPS, STEPS)
def test_a_file_is_compared_with_the_bytes_that_were_at_the_same_offsets(
    data: st.DataObject, before_steps: list[tuple[int, int]], now_steps: list[tuple[int, int]]
) -> None:
    before, now = ranges_of(before_steps), ranges_of(now_steps)
    places = data.draw(places_of(data_bytes(before)))
    found = comparable(places, before, now, (100, 100))
    old, new = bytes_at(places, before), bytes_at(found, now)
    data_now = {at for offset, size in now for at in range(offset, offset + size)}
    assert new == {at: byte for at, byte in old.items() if at in data_now}
    ends = [one.offset_bytes + one.size_bytes for one in found]
    assert all(end <= one.offset_bytes for end, one in zip(ends, found[1:], strict=False))


@given(st.data(), STEPS)
def test_each_extent_lies_in_one_cell_and_is_known_as_a_whole_or_not_at_all(
    data: st.DataObject, steps: list[tuple[int, int]]
) -> None:
    ranges = ranges_of(steps)
    total_bytes = data_bytes(ranges)
    places = data.draw(places_of(total_bytes))
    start, stop = sorted((data.draw(st.integers(0, total_bytes)), data.draw(st.integers(0, total_bytes))))
    with patch.object(compared, "cells_of", small_cells):
        extents = extents_at(one_file(ranges), 0, start, stop, Former(places))
    assert sum(size for _, size in extents) == stop - start
    assert list(joined(extents)) == list(joined(part_of(ranges, start, stop)))
    known = bytes_at(places, ranges)
    at = start
    for offset, size in extents:
        assert offset // 4 == (offset + size - 1) // 4
        place = Former(places).at(at, size)
        held = [known.get(byte) for byte in range(offset, offset + size)]
        if place is None:
            assert set(held) == {None}
        else:
            assert held == [(place.segment_id, place.stream_offset_bytes + n) for n in range(size)]
        at += size


@given(SPANS, SPANS)
def test_what_lies_over_counts_and_the_rest_stays_as_it_was(
    under: list[tuple[int, int]], over: list[tuple[int, int]]
) -> None:
    below, above = _apart(under, "a"), _apart(over, "b")

    found = overlaid(below, above)

    expected = {**_bytes_in(below), **_bytes_in(above)}
    assert _bytes_in(found) == expected
    assert sum(one.size_bytes for one in found) == len(expected)
    assert [one.offset_bytes for one in found] == sorted(one.offset_bytes for one in found)


def _apart(ranges: list[tuple[int, int]], segment: str) -> list[Place]:
    """Places of one segment, one after the other in its stream; ranges that overlap the one before are left out."""
    found: list[Place] = []
    stop = stream = 0
    for start, size in sorted(ranges):
        if start >= stop:
            found.append(Place(segment, stream, start, size))
            stop, stream = start + size, stream + size
    return found


def _bytes_in(places: list[Place]) -> dict[int, tuple[str, int]]:
    return {
        one.offset_bytes + at: (one.segment_id, one.stream_offset_bytes + at)
        for one in places
        for at in range(one.size_bytes)
    }


def small_cells(offset: int, size: int) -> list[tuple[int, int]]:
    """As of cells of 4 bytes."""
    edges = sorted({offset, offset + size, *(edge for edge in range(0, offset + size, 4) if edge > offset)})
    return [(first, last - first) for first, last in pairwise(edges)]


def joined(ranges: object) -> list[int]:
    return [at for offset, size in ranges for at in range(offset, offset + size)]  # type: ignore[attr-defined]


def one_file(ranges: list[tuple[int, int]]) -> EntryBatch:
    return EntryBatch(
        directory="",
        names=["f"],
        kinds="f",
        modes=[0o644],
        uids=[0],
        gids=[0],
        mtimes_ns=[0],
        ctimes_ns=[0],
        sizes_bytes=[1000],
        data_ranges={"f": ranges},
    )
