"""Whatever happens to a stored segment is noticed, named, and costs no more than docs/format.md says."""

from __future__ import annotations

import random
import re
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.stored.digests import digests_of
from tasks.errors import DamagedError
from tasks.receipts import ExtentNote
from tasks.values import Extents
from workers.format.header import SegmentHeader, all_of
from workers.format.reader import SegmentReader
from workers.format.writer import SegmentWriter
from workers.units.compress import UnitCompressor

UNIT_BYTES = 64 * 1024
#: Raw, repeated and compressed blocks, a mixture of them, and a short last unit.
STREAM = (
    random.Random(1).randbytes(UNIT_BYTES)
    + bytes(UNIT_BYTES)
    + b"".join(b"line %d of a text\n" % number for number in range(4000))[:UNIT_BYTES]
    + random.Random(2).randbytes(UNIT_BYTES // 4)
    + bytes(UNIT_BYTES // 2)
)


def make_segment(stream: bytes) -> bytes:
    header = SegmentHeader(
        segment_id="5" * 32,
        object_id="b" * 32,
        ranges=all_of(len(stream)),
        snapshot_id="a" * 32,
        volume="home",
        number=3,
        source="data",
        extents=Extents(paths=("one", "two"), offsets_bytes=(0, 7), sizes_bytes=(100, len(stream) - 100)),
        threshold_bytes=1 << 20,
        unit_bytes=UNIT_BYTES,
        block_bytes=4096,
        level=3,
    )
    stored = bytearray()
    writer = SegmentWriter(header, stored.extend)
    compressor = UnitCompressor(3)
    for start in range(0, len(stream), UNIT_BYTES):
        unit = stream[start : start + UNIT_BYTES]
        writer.add_unit(compressor.compress(unit), len(unit))
    note = ExtentNote(index=1, trouble="changed", read_bytes=1, message="grew")
    writer.finish(notes=(note,), file_state=None, **digests_of(header.extents, stream))
    return bytes(stored)


SEGMENT = make_segment(STREAM)
#: Small enough to try every byte of it: about 900.
SMALL_STREAM = bytes(range(200)) + bytes(UNIT_BYTES)
SMALL_SEGMENT = make_segment(SMALL_STREAM)


def open_segment(stored: bytes, *, salvage: bool) -> SegmentReader:
    return SegmentReader(lambda offset, size: stored[offset : offset + size], len(stored), salvage=salvage)


SMALL_DIGEST = open_segment(SMALL_SEGMENT, salvage=False).trailer_digest


def open_proved(stored: bytes) -> SegmentReader:
    """As the segment that SMALL_SEGMENT is, or not at all."""
    return SegmentReader(
        lambda offset, size: stored[offset : offset + size], len(stored), salvage=True, trailer_digest=SMALL_DIGEST
    )


def assert_proved_content_is_right(stored: bytes) -> None:
    try:
        reader = open_proved(stored)
    except DamagedError:
        return
    for index, unit in enumerate(reader.units):
        with suppress(DamagedError):
            content = reader.read_unit(index)
            assert content == SMALL_STREAM[unit.stream_offset_bytes : unit.stream_offset_bytes + unit.size_bytes]
    with suppress(DamagedError):
        assert reader.header == open_segment(SMALL_SEGMENT, salvage=False).header


def trailer_bytes(segment: bytes) -> int:
    """The size of the trailer, as the seek table says."""
    return int.from_bytes(segment[-9 - 8 : -9 - 4], "little")


def part_at(segment: bytes, position: int) -> str:
    reader = open_segment(segment, salvage=False)
    if position < reader.units[0].stored_offset_bytes:
        return "header"
    for index, unit in enumerate(reader.units):
        if position < unit.stored_offset_bytes + unit.stored_bytes:
            return f"unit {index}"
    return "trailer" if position < len(segment) - 8 * (len(reader.units) + 2) - 17 else "seek table"


def assert_a_flip_is_named_and_costs_one_part(segment: bytes, stream: bytes, position: int, mask: int) -> None:
    damaged = bytearray(segment)
    damaged[position] ^= mask
    part = part_at(segment, position)
    hit = re.fullmatch(r"unit (\d+)", part)
    if not hit:
        with pytest.raises(DamagedError, match=f"^{part}: "):
            open_segment(bytes(damaged), salvage=False)
    reader = open_segment(bytes(damaged), salvage=not hit)
    for index, unit in enumerate(reader.units):
        expected = stream[unit.stream_offset_bytes : unit.stream_offset_bytes + unit.size_bytes]
        if hit and index == int(hit[1]):
            with pytest.raises(DamagedError, match=rf"^{part} \(bytes {unit.stream_offset_bytes} to "):
                reader.read_unit(index)
            assert reader.damaged_ranges() == ((unit.stream_offset_bytes, unit.size_bytes),)
        else:
            assert reader.read_unit(index) == expected
    assert reader.stream_bytes == len(stream)


def assert_what_can_be_read_is_right(stored: bytes, stream: bytes) -> None:
    """No error but DamagedError, no wrong byte, and every byte that cannot be read is in a damaged range."""
    try:
        reader = open_segment(stored, salvage=True)
    except DamagedError:
        return
    damaged = reader.damaged_ranges()
    for index, unit in enumerate(reader.units):
        place = (unit.stream_offset_bytes, unit.size_bytes)
        try:
            content = reader.read_unit(index)
        except DamagedError:
            assert place in damaged
        else:
            assert content == stream[unit.stream_offset_bytes : unit.stream_offset_bytes + unit.size_bytes]


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_of_a_small_segment_is_named_and_costs_one_part(mask: int) -> None:
    for position in range(len(SMALL_SEGMENT)):
        assert_a_flip_is_named_and_costs_one_part(SMALL_SEGMENT, SMALL_STREAM, position, mask)


@settings(deadline=None, max_examples=200)
@given(position=st.integers(0, len(SEGMENT) - 1), mask=st.integers(1, 255))
def test_any_flipped_byte_is_named_and_costs_one_part(position: int, mask: int) -> None:
    assert_a_flip_is_named_and_costs_one_part(SEGMENT, STREAM, position, mask)


@settings(deadline=None, max_examples=200)
@given(
    flips=st.lists(st.tuples(st.integers(0, len(SMALL_SEGMENT) - 1), st.integers(1, 255)), min_size=2, max_size=12),
    stop=st.integers(0, len(SMALL_SEGMENT)) | st.just(len(SMALL_SEGMENT)),
)
def test_damage_in_many_places_never_gives_wrong_data(flips: list[tuple[int, int]], stop: int) -> None:
    damaged = bytearray(SMALL_SEGMENT)
    for position, mask in flips:
        damaged[position] ^= mask
    assert_what_can_be_read_is_right(bytes(damaged[:stop]), SMALL_STREAM)


def assert_a_cut_is_named_and_costs_what_was_cut(segment: bytes, stream: bytes, stop: int) -> None:
    with pytest.raises(DamagedError, match=r"^(header|seek table): "):
        open_segment(segment[:stop], salvage=False)
    assert_what_can_be_read_is_right(segment[:stop], stream)
    units = open_segment(segment, salvage=False).units
    whole = [unit for unit in units if unit.stored_offset_bytes + unit.stored_bytes <= stop]
    if not whole:
        return
    reader = open_segment(segment[:stop], salvage=True)
    kept_bytes = sum(unit.size_bytes for unit in whole)
    lost = ((kept_bytes, len(stream) - kept_bytes),) if kept_bytes < len(stream) else ()
    assert reader.damaged_ranges() == lost
    assert len(reader.units) == len(whole)


def test_every_cut_of_a_small_segment_is_named_and_costs_what_was_cut() -> None:
    for stop in range(len(SMALL_SEGMENT)):
        assert_a_cut_is_named_and_costs_what_was_cut(SMALL_SEGMENT, SMALL_STREAM, stop)


@settings(deadline=None, max_examples=200)
@given(stop=st.integers(0, len(SEGMENT) - 1))
def test_any_cut_is_named_and_costs_what_was_cut(stop: int) -> None:
    assert_a_cut_is_named_and_costs_what_was_cut(SEGMENT, STREAM, stop)


@settings(deadline=None, max_examples=100)
@given(garbage=st.binary(min_size=1, max_size=200))
@example(garbage=b"\0")
@example(garbage=SMALL_SEGMENT)
@example(garbage=SMALL_SEGMENT[-33:])
@example(garbage=bytes.fromhex("5e2a4d18 00000000"))
@example(garbage=bytes.fromhex("5e2a4d18 09000000 00000000 00 b1ea928f"))
def test_garbage_behind_a_segment_is_named_and_costs_nothing(garbage: bytes) -> None:
    stored = SMALL_SEGMENT + garbage
    with pytest.raises(DamagedError, match=f"^end: {len(garbage)} bytes of something else follow"):
        open_segment(stored, salvage=False)
    reader = open_segment(stored, salvage=True)
    assert b"".join(reader.read_unit(index) for index in range(len(reader.units))) == SMALL_STREAM
    assert reader.trailer.notes[0].message == "grew"
    assert reader.damaged_ranges() == ()


@settings(deadline=None, max_examples=200)
@given(
    flips=st.lists(st.tuples(st.integers(0, len(SMALL_SEGMENT) - 1), st.integers(1, 255)), max_size=6),
    stop=st.integers(0, len(SMALL_SEGMENT)) | st.just(len(SMALL_SEGMENT)),
    end=st.binary(max_size=50),
)
def test_with_the_digest_of_its_trailer_a_segment_gives_what_was_stored_or_nothing(
    flips: list[tuple[int, int]], stop: int, end: bytes
) -> None:
    stored = bytearray(SMALL_SEGMENT)
    for position, mask in flips:
        stored[position] ^= mask
    assert_proved_content_is_right(bytes(stored[:stop]) + end)


@settings(deadline=None, max_examples=100)
@given(position=st.integers(0, len(SMALL_STREAM) - 1), mask=st.integers(1, 255))
def test_with_the_digest_of_its_trailer_no_other_content_is_taken_for_the_segment(position: int, mask: int) -> None:
    stream = bytearray(SMALL_STREAM)
    stream[position] ^= mask
    other = make_segment(bytes(stream))
    with pytest.raises(DamagedError, match="not the one that was stored"):
        open_proved(other)
    # Its header and units, under the trailer that was stored.
    trailer_at = len(SMALL_SEGMENT) - 8 * 4 - 17 - trailer_bytes(SMALL_SEGMENT)
    assert_proved_content_is_right(other[:trailer_at] + SMALL_SEGMENT[trailer_at:])


def test_a_segment_without_header_and_trailer_is_refused_for_nothing_says_where_its_units_belong() -> None:
    damaged = bytearray(SEGMENT)
    damaged[100] ^= 1
    damaged[len(SEGMENT) - 100] ^= 1
    assert (part_at(SEGMENT, 100), part_at(SEGMENT, len(SEGMENT) - 100)) == ("header", "trailer")
    with pytest.raises(DamagedError, match=r"^header: .* nor is there a trailer"):
        open_segment(bytes(damaged), salvage=True)


@settings(deadline=None, max_examples=200)
@given(stored=st.binary(max_size=300))
@example(stored=b"")
@example(stored=bytes.fromhex("5a2a4d18 ffffffff"))
@example(stored=bytes.fromhex("5e2a4d18 09000000 00000000 00 b1ea928f"))
@example(stored=bytes(8) + bytes.fromhex("ffffffff 00 b1ea928f"))
def test_what_is_no_segment_at_all_is_refused(stored: bytes) -> None:
    with pytest.raises(DamagedError):
        open_segment(stored, salvage=False)
    assert_what_can_be_read_is_right(stored, b"")
