"""A file with holes: whatever is cut out of its data and put back at its place is the file again."""

from __future__ import annotations

import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from producer.listing import EntryBatch, extents_of
from producer.listing.data_ranges import are_sound, data_before, data_bytes, without_smallest_holes
from producer.restore.reading.without_holes import WithHoles

Ranges = list[tuple[int, int]]


@st.composite
def files(draw: st.DrawFn) -> tuple[int, Ranges]:
    """Size and ranges of data of a file, holes at either end or both among them."""
    ranges: Ranges = []
    stop = 0
    for place in range(draw(st.integers(0, 6))):
        start = stop + draw(st.integers(0 if place == 0 else 1, 50))
        ranges.append((start, draw(st.integers(1, 50))))
        stop = sum(ranges[-1])
    return max(1, stop + draw(st.integers(0, 50))), ranges


def content_of(size_bytes: int, ranges: Ranges) -> bytes:
    content = bytearray(size_bytes)
    for start, count in ranges:
        content[start : start + count] = bytes(1 + at % 255 for at in range(start, start + count))
    return bytes(content)


def batch_of(found: list[tuple[int, Ranges]]) -> EntryBatch:
    count = len(found)
    return EntryBatch(
        source="src",
        directory="",
        first_entry=0,
        names=[str(number) for number in range(count)],
        kinds="f" * count,
        modes=[0] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[0] * count,
        ctimes_ns=[0] * count,
        sizes_bytes=[size for size, _ in found],
        links={},
        device_numbers={},
        data_ranges={str(number): ranges for number, (_, ranges) in enumerate(found)},
    )


@given(files(), st.data())
def test_pieces_of_the_data_put_back_make_the_file(file: tuple[int, Ranges], data: st.DataObject) -> None:
    size_bytes, ranges = file
    content, stored_bytes = content_of(*file), data_bytes(ranges)
    cuts = sorted(data.draw(st.sets(st.integers(0, stored_bytes))) | {0, stored_bytes})
    restored = bytearray(size_bytes)
    for start, stop in pairwise(cuts):
        extents = extents_of(
            [batch_of([file])],
            first_entry=0,
            stop_entry=1,
            offset_bytes=start,
            size_bytes=stop - start,
            bundle_limit_bytes=0,
        ).extents
        for extent in extents:
            # What is read is data alone, and each byte of it once.
            part = slice(extent.offset_bytes, extent.offset_bytes + extent.size_bytes)
            assert 0 not in content[part]
            assert not any(restored[part])
            restored[part] = content[part]
    assert restored == content


@given(st.lists(files(), min_size=2, max_size=5), st.integers(1, 200))
def test_a_bundle_holds_the_data_of_each_file_up_to_the_limit_and_no_hole(
    found: list[tuple[int, Ranges]], limit_bytes: int
) -> None:
    sizes = [data_bytes(ranges) for _, ranges in found]
    held = [number for number, size in enumerate(sizes) if 0 < size <= limit_bytes]
    if not held:
        return
    contents = extents_of(
        [batch_of(found)],
        first_entry=0,
        stop_entry=len(found),
        offset_bytes=0,
        size_bytes=sum(sizes[number] for number in held),
        bundle_limit_bytes=limit_bytes,
    )
    rows = [(number, *item) for number in held for item in found[number][1]]
    assert [(int(row.path), row.offset_bytes, row.size_bytes) for row in contents.extents] == rows
    assert contents.sparse == [index for index, (number, *item) in enumerate(rows) if item != [0, found[number][0]]]
    assert len(contents.states) == len(rows)


@given(files(), st.integers(1, 100))
def test_a_dump_is_the_data_with_zeros_in_the_holes(file: tuple[int, Ranges], block_bytes: int) -> None:
    content = content_of(*file)
    data = b"".join(content[start : start + size] for start, size in file[1])
    made = io.BytesIO()
    out = WithHoles(made, file[1], file[0])
    for start in range(0, len(data), block_bytes):
        out.write(data[start : start + block_bytes])
    out.flush()
    assert made.getvalue() == content


@given(files(), st.integers(1, 6))
def test_fewer_ranges_hold_all_data(file: tuple[int, Ranges], count: int) -> None:
    size_bytes, ranges = file
    fewer = without_smallest_holes(ranges, count)
    assert len(fewer) <= count
    assert are_sound(fewer, size_bytes)
    stops = [start + size for start, size in ranges]
    assert all(
        data_before(fewer, stop) - data_before(fewer, start) == stop - start
        for (start, _), stop in zip(ranges, stops, strict=True)
    )
