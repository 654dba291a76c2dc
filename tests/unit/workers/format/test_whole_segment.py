"""What a segment holds, who can read it, and what writer and reader refuse."""

from __future__ import annotations

import errno
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import pyzstd
from blake3 import blake3
from msgspec.structs import replace

from kit.needs import need_tools
from kit.stored.digests import digests_of
from tasks.errors import DamagedError, DeviceError
from tasks.receipts import ExtentNote, FileState
from tasks.values import Extents
from workers.format import layout
from workers.format.envelope import HEADER, encode_envelope, read_envelope
from workers.format.header import SegmentHeader, all_of, decode_header, encode_header
from workers.format.reader import SegmentReader
from workers.format.seek_table import Frame, encode_seek_table
from workers.format.stored_bytes import StoredBytes
from workers.format.writer import SegmentWriter
from workers.units.compress import UnitCompressor

UNIT_BYTES = 64 * 1024
STREAM = random.Random(7).randbytes(UNIT_BYTES) + bytes(UNIT_BYTES) + b"the end of it" * 1000


def header_of(paths: tuple[str, ...], sizes_bytes: tuple[int, ...]) -> SegmentHeader:
    return SegmentHeader(
        segment_id="5" * 32,
        object_id="b" * 32,
        ranges=all_of(sum(sizes_bytes)),
        snapshot_id="a" * 32,
        volume="home",
        number=0,
        source="data",
        extents=Extents(paths=paths, offsets_bytes=(0,) * len(paths), sizes_bytes=sizes_bytes),
        threshold_bytes=1 << 20,
        unit_bytes=UNIT_BYTES,
        block_bytes=4096,
        level=3,
    )


HEADER_OF_STREAM = header_of(("disk.img",), (len(STREAM),))


def make_segment(
    header: SegmentHeader = HEADER_OF_STREAM, stream: bytes = STREAM, notes: tuple[ExtentNote, ...] = ()
) -> bytes:
    stored = bytearray()
    writer = SegmentWriter(header, stored.extend)
    compressor = UnitCompressor(3)
    for start in range(0, len(stream), UNIT_BYTES):
        unit = stream[start : start + UNIT_BYTES]
        writer.add_unit(compressor.compress(unit), len(unit))
    state, digests = FileState(size_bytes=1, mtime_ns=-2, ctime_ns=3), digests_of(header.extents, stream)
    assert writer.finish(notes=notes, file_state=state, **digests) == len(stored)
    return bytes(stored)


def reading(stored: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: stored[offset : offset + size]


def open_segment(stored: bytes, *, salvage: bool = False) -> SegmentReader:
    return SegmentReader(reading(stored), len(stored), salvage=salvage)


def test_header_trailer_and_stream_come_back_as_written() -> None:
    notes = (ExtentNote(index=0, trouble="changed", read_bytes=5, message="gr\udce9w"),)
    reader = open_segment(make_segment(notes=notes))
    assert reader.header == HEADER_OF_STREAM
    assert reader.trailer.notes == notes
    assert reader.trailer.file_state == FileState(size_bytes=1, mtime_ns=-2, ctime_ns=3)
    assert [unit.size_bytes for unit in reader.units] == [UNIT_BYTES, UNIT_BYTES, 13_000]
    assert b"".join(reader.read_unit(index) for index in range(3)) == STREAM


@pytest.mark.parametrize("path", ["caf\udce9", "new\nline", "n" * 255, "é" * 127, "\U0001f980", ""])
def test_any_file_name_survives(path: str) -> None:
    header = header_of((path,), (3,))
    assert open_segment(make_segment(header, b"abc")).header == header


def test_a_bundle_of_as_many_extents_as_an_order_holds_survives() -> None:
    paths = tuple(f"some/folder/{number % 97}/file-{number}" for number in range(65_536))
    header = header_of(paths, (1,) * len(paths))
    assert open_segment(make_segment(header, b"x" * len(paths))).header == header


def test_a_segment_without_extents_is_whole() -> None:
    reader = open_segment(make_segment(header_of((), ()), b""))
    assert reader.units == ()
    assert reader.stream_bytes == 0
    assert reader.damaged_ranges() == ()


def test_a_segment_opens_with_few_reads() -> None:
    stored, reads = make_segment(), []
    SegmentReader(lambda offset, size: reads.append(offset) or stored[offset : offset + size], len(stored))  # type: ignore[func-returns-value]
    assert len(reads) <= 3


def test_any_zstd_gives_the_stream_back() -> None:
    assert pyzstd.decompress(make_segment()) == STREAM


def test_the_zstd_command_gives_the_stream_back(tmp_path: Path) -> None:
    need_tools("zstd")
    path = tmp_path / "x.seg"
    path.write_bytes(make_segment())
    assert subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout == STREAM
    subprocess.run(["zstd", "-tq", path], check=True)


def test_an_independent_reader_of_the_seekable_format_jumps_into_it(tmp_path: Path) -> None:
    path = tmp_path / "x.seg"
    path.write_bytes(make_segment())
    with pyzstd.SeekableZstdFile(str(path)) as stream:
        for offset in (0, 1, UNIT_BYTES - 1, UNIT_BYTES, 2 * UNIT_BYTES - 3, 2 * UNIT_BYTES, len(STREAM) - 1, 5):
            stream.seek(offset)
            assert stream.read(1000) == STREAM[offset : offset + 1000]
        assert stream.seek(0, 2) == len(STREAM)


def test_a_unit_that_does_not_fit_the_header_is_refused() -> None:
    writer = SegmentWriter(HEADER_OF_STREAM, lambda data: None)
    with pytest.raises(ValueError, match="unit 0 of 7 bytes does not fit"):
        writer.add_unit(UnitCompressor(3).compress(b"1234567"), 7)


def test_a_segment_with_missing_units_is_not_finished() -> None:
    with pytest.raises(ValueError, match="0 of 3 units"):
        SegmentWriter(HEADER_OF_STREAM, lambda data: None).finish(
            notes=(), file_state=None, extent_digests=bytes(16), cell_digests=b""
        )


@pytest.mark.parametrize(("extents_count", "cells_count"), [(0, 0), (2, 0), (1, 1)])
def test_a_segment_has_as_many_digests_as_its_header_has_extents_and_cells(
    extents_count: int, cells_count: int
) -> None:
    header = header_of(("a",), (0,))
    with pytest.raises(ValueError, match="as many digests"):
        SegmentWriter(header, lambda data: None).finish(
            notes=(), file_state=None, extent_digests=bytes(16 * extents_count), cell_digests=bytes(16 * cells_count)
        )


@pytest.mark.parametrize(("extents_count", "cells_count"), [(0, 0), (2, 0), (1, 1)])
@pytest.mark.parametrize("is_proved", [False, True])
def test_a_trailer_with_digests_of_other_extents_is_damage(
    monkeypatch: pytest.MonkeyPatch, extents_count: int, cells_count: int, is_proved: bool
) -> None:
    stored = bytearray()
    writer = SegmentWriter(header_of(("a",), (0,)), stored.extend)
    with monkeypatch.context() as patched:
        patched.setattr("workers.format.writer.has_digests_of", lambda *_: True)
        writer.finish(
            notes=(), file_state=None, extent_digests=bytes(16 * extents_count), cell_digests=bytes(16 * cells_count)
        )
    with pytest.raises(DamagedError, match="digests"):
        SegmentReader(reading(bytes(stored)), len(stored), trailer_digest=writer.trailer_digest if is_proved else None)


def test_a_header_that_could_not_be_read_back_is_refused_before_anything_is_written() -> None:
    written: list[object] = []
    with pytest.raises(ValueError, match="not a valid header"):
        SegmentWriter(replace(HEADER_OF_STREAM, segment_id="../../etc"), written.append)
    assert written == []


def test_a_frame_of_4_gib_does_not_fit_the_seek_table() -> None:
    with pytest.raises(ValueError, match="4 GiB"):
        encode_seek_table([Frame(stored_bytes=2**32, size_bytes=0)])


def patched_header(offset: int, replacement: bytes) -> bytes:
    """A header frame with other fixed fields, and the digest that fits them."""
    frame = bytearray(encode_header(HEADER_OF_STREAM))
    frame[offset : offset + len(replacement)] = replacement
    start, packed = frame[: layout.ENVELOPE.size], frame[layout.ENVELOPE_BYTES :]
    frame[layout.ENVELOPE.size : layout.ENVELOPE_BYTES] = blake3(start + packed).digest()
    return bytes(frame)


@pytest.mark.parametrize(
    ("offset", "replacement"),
    [(16, b"\2"), (19, b"\1"), (20, b"\2"), (21, b"\2"), (22, b"\1"), (23, b"\1"), (39, b"\1")],
    ids=["version", "reserved flag", "encoding", "digest", "encryption", "parity", "reserved byte"],
)
def test_what_a_later_release_wrote_is_refused_but_not_called_damaged(offset: int, replacement: bytes) -> None:
    stored = patched_header(offset, replacement)
    with pytest.raises(DeviceError) as caught:
        read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0)
    assert not isinstance(caught.value, DamagedError)
    assert "newer release" in caught.value.hint


def test_unused_flags_are_ignored() -> None:
    stored = patched_header(18, b"\xff")
    envelope = read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0)
    assert decode_header(envelope) == HEADER_OF_STREAM


def test_unknown_keys_are_ignored() -> None:
    stored = encode_envelope(HEADER, {**msgspec.to_builtins(HEADER_OF_STREAM), "later": 1})
    envelope = read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0)
    assert decode_header(envelope) == HEADER_OF_STREAM


@pytest.mark.parametrize(
    "content", [{}, [], None, {"segment_id": 3}, {**msgspec.to_builtins(HEADER_OF_STREAM), "unit_bytes": 70_000}]
)
def test_a_header_that_does_not_validate_is_damaged(content: object) -> None:
    stored = encode_envelope(HEADER, content)
    with pytest.raises(DamagedError, match=r"^header: "):
        decode_header(read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0))


def test_a_path_that_leaves_the_source_is_not_a_header() -> None:
    content = msgspec.to_builtins(HEADER_OF_STREAM)
    content["extents"]["paths"] = ["../../etc/passwd"]
    stored = encode_envelope(HEADER, content)
    with pytest.raises(DamagedError, match=r"^header: .*'\.\.'"):
        decode_header(read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0))


@pytest.mark.parametrize("claim", [0, 2**32 - 1, layout.MAX_CONTENT_BYTES])
def test_a_forged_content_size_is_refused_before_it_is_allocated(claim: int) -> None:
    stored = patched_header(28, claim.to_bytes(4, "little"))
    with pytest.raises(DamagedError, match=r"out of bounds|its frame is for"):
        read_envelope(HEADER, StoredBytes(reading(stored), len(stored)), 0)


def test_a_seek_table_that_promises_more_frames_than_fit_is_refused_before_it_is_read() -> None:
    footer = layout.SEEK_TABLE_FOOTER.pack(2**32 - 1, 0, layout.SEEK_TABLE_FOOTER_MAGIC)
    stored = make_segment()[: -layout.SEEK_TABLE_FOOTER.size] + footer
    with pytest.raises(DamagedError, match=r"^seek table: "):
        open_segment(stored)


def bad_sector(stored: bytes, start: int, code: int, size_bytes: int = 1) -> Callable[[int, int], bytes]:
    def read(offset: int, size: int) -> bytes:
        if offset < start + size_bytes and start < offset + size:
            raise OSError(code, "no")
        return stored[offset : offset + size]

    return read


RANDOM_STREAM = random.Random(8).randbytes(4 * UNIT_BYTES)


@pytest.mark.parametrize("index", range(4))
def test_a_bad_sector_costs_one_unit_and_does_not_hide_the_others(index: int) -> None:
    stored = make_segment(header_of(("r",), (len(RANDOM_STREAM),)), RANDOM_STREAM)
    unit = open_segment(stored).units[index]
    reader = SegmentReader(bad_sector(stored, unit.stored_offset_bytes + 1000, errno.EIO), len(stored))
    assert reader.damaged_ranges() == ((index * UNIT_BYTES, UNIT_BYTES),)
    with pytest.raises(DamagedError, match=rf"^unit {index} .* cannot be read: Input/output error"):
        reader.read_unit(index)


@pytest.mark.parametrize("place", [3, -100, -3], ids=["header", "trailer", "seek table"])
def test_a_bad_sector_in_another_part_costs_no_unit(place: int) -> None:
    stored = make_segment(header_of(("r",), (len(RANDOM_STREAM),)), RANDOM_STREAM)
    reader = SegmentReader(bad_sector(stored, place % len(stored), errno.EIO), len(stored), salvage=True)
    assert len(reader.damage) == 1
    assert b"".join(reader.read_unit(index) for index in range(4)) == RANDOM_STREAM


@pytest.mark.parametrize(("start", "lost"), [(0, 0), (-4096, 3)], ids=["first", "last"])
def test_a_bad_sector_at_an_end_costs_the_unit_that_it_reaches_into(start: int, lost: int) -> None:
    stored = make_segment(header_of(("r",), (len(RANDOM_STREAM),)), RANDOM_STREAM)
    read = bad_sector(stored, start % len(stored), errno.EIO, size_bytes=4096)
    reader = SegmentReader(read, len(stored), salvage=True)
    assert reader.damaged_ranges() == ((lost * UNIT_BYTES, UNIT_BYTES),)


def test_a_device_that_is_gone_is_not_taken_for_damage() -> None:
    stored = make_segment(header_of(("r",), (len(RANDOM_STREAM),)), RANDOM_STREAM)
    reader = SegmentReader(bad_sector(stored, len(stored) // 2, errno.ENODEV), len(stored))
    with pytest.raises(OSError, match="no"):
        reader.damaged_ranges()


def test_a_segment_without_trailer_is_checked_by_the_checksums_of_its_frames() -> None:
    stored = bytearray(make_segment())
    unit = open_segment(bytes(stored)).units[1]
    stored[-60] ^= 1
    stored[unit.stored_offset_bytes + unit.stored_bytes - 1] ^= 1
    reader = open_segment(bytes(stored), salvage=True)
    assert [error.message.split(":")[0] for error in reader.damage] == ["trailer"]
    with pytest.raises(DamagedError, match=r"^trailer: "):
        reader.trailer  # noqa: B018
    with pytest.raises(DamagedError, match=r"^unit 1 "):
        reader.read_unit(1)
    assert reader.damaged_ranges() == ((UNIT_BYTES, UNIT_BYTES),)
    assert reader.read_unit(0) == STREAM[:UNIT_BYTES]


def test_two_swapped_units_are_both_damaged() -> None:
    first, second = b"a" * UNIT_BYTES, b"b" * UNIT_BYTES
    stored = make_segment(header_of(("ab",), (2 * UNIT_BYTES,)), first + second)
    one, two = open_segment(stored).units
    assert one.stored_bytes == two.stored_bytes
    start, middle = one.stored_offset_bytes, two.stored_offset_bytes
    end = middle + two.stored_bytes
    swapped = stored[:start] + stored[middle:end] + stored[start:middle] + stored[end:]
    assert open_segment(swapped).damaged_ranges() == ((0, UNIT_BYTES), (UNIT_BYTES, UNIT_BYTES))


def test_the_trailer_of_another_segment_is_refused() -> None:
    other = replace(HEADER_OF_STREAM, segment_id="6" * 32)
    stored, foreign = make_segment(), make_segment(other)
    header_bytes = open_segment(stored).units[0].stored_offset_bytes
    assert open_segment(foreign).units[0].stored_offset_bytes == header_bytes
    with pytest.raises(DamagedError, match="trailer: it belongs to another header"):
        open_segment(stored[:header_bytes] + foreign[header_bytes:])
