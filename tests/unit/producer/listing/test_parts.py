"""Where parts are cut, and which ones are refused."""

from __future__ import annotations

from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from producer.listing import EntryBatch, ListingReader, ListingWriter, decode_part, extents_of
from producer.listing.frames import MAX_PART_BYTES, compress_lines, decompress_lines, encode_line
from producer.listing.reader import CACHED_ENTRIES_COUNT
from tasks.errors import DamagedError


def files(first_entry: int, names: list[str], *, directory: str = "dir", size_bytes: int = 1) -> EntryBatch:
    count = len(names)
    return EntryBatch(
        source="src",
        directory=directory,
        first_entry=first_entry,
        names=names,
        kinds="f" * count,
        modes=[0o644] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[0] * count,
        ctimes_ns=[0] * count,
        sizes_bytes=[size_bytes] * count,
        links={},
        device_numbers={},
    )


def part_of(*batches: EntryBatch) -> bytes:
    return compress_lines([encode_line(batch) for batch in batches])


def test_parts_are_cut_between_batches_and_follow_each_other() -> None:
    writer = ListingWriter()
    batches = [files(number * 4096, ["n" * 250 + f"{i:05d}" for i in range(4096)]) for number in range(5)]
    parts = [part for batch in batches for part in writer.add(batch)] + list(writer.flush())
    assert [part.number for part in parts] == [0, 1, 2, 3, 4]
    assert [(part.first_entry, part.entries_count) for part in parts] == [(n * 4096, 4096) for n in range(5)]
    assert [batch for part in parts for batch in decode_part(part.data)] == batches
    assert list(writer.flush()) == []


def test_a_part_of_the_worst_names_fits_one_order() -> None:
    escaped = ["".join(chr(0xDC80 + (i * 7 + k * k) % 128) for k in range(255)) for i in range(4096)]
    writer = ListingWriter()
    assert list(writer.add(files(0, escaped))) == []
    (part,) = writer.flush()
    assert len(part.data) < 6 * 1024 * 1024
    assert decode_part(part.data)[0].names == escaped


def test_a_batch_that_does_not_follow_the_one_before_is_refused() -> None:
    writer = ListingWriter()
    with pytest.raises(ValueError, match="begins at entry 1, expected 0"):
        list(writer.add(files(1, ["a"])))
    with pytest.raises(DamagedError, match="does not follow"):
        decode_part(part_of(files(0, ["a"]), files(2, ["b"])))


@pytest.mark.parametrize(
    "change",
    [
        {"names": [".."]},
        {"names": ["a/b"]},
        {"names": ["a\0"]},
        {"names": [""]},
        {"directory": "../out"},
        {"directory": "/etc"},
        {"kinds": "s"},
        {"kinds": "ff"},
        {"kinds": "d"},
        {"modes": [0o10000]},
        {"uids": [-1]},
        {"sizes_bytes": [-2]},
        {"sizes_bytes": [2**63]},
        {"kinds": "l", "sizes_bytes": [-1]},
        {"kinds": "h", "sizes_bytes": [-1], "links": {"a": "src/../../etc"}},
        {"links": {"other": "text"}},
        {"first_entry": -1},
    ],
)
def test_a_batch_that_says_nonsense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DamagedError):
        decode_part(part_of(replace(files(0, ["a"]), **change)))


def test_a_part_from_a_later_release_with_another_column_is_read() -> None:
    line = encode_line(files(0, ["a"])).replace(b'{"source"', b'{"parity":[7],"source"')
    assert decode_part(compress_lines([line])) == [files(0, ["a"])]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zstd",
        compress_lines([]),
        compress_lines([b""]),
        compress_lines([b"[" * 100_000]),
        compress_lines([b"\xff"]),
        part_of(files(0, ["a"])) + b"x",
        zstandard.ZstdCompressor().compress(b"no line"),
        b"".join([(stream := zstandard.ZstdCompressor().compressobj()).compress(b"{}\n"), stream.flush()]),
    ],
)
def test_what_is_no_part_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        decode_part(data)


def test_a_part_that_would_fill_the_memory_is_not_decompressed() -> None:
    with pytest.raises(DamagedError, match="claims no size, or more than 16 MiB"):
        decompress_lines(zstandard.ZstdCompressor().compress(b"\n" * (MAX_PART_BYTES + 1)))


def test_a_reader_decodes_a_part_once_while_it_is_in_use() -> None:
    loads: list[int] = []

    def load(number: int) -> list[EntryBatch]:
        loads.append(number)
        return decode_part(part_of(files(number * 4096, [f"{name}" for name in range(4096)])))

    # More than the reader remembers.
    count = CACHED_ENTRIES_COUNT // 4096 + 1
    reader = ListingReader(range(0, count * 4096, 4096), load)
    for index in [0, 0, *range(1, count), 1, 0]:
        assert reader.entry(index * 4096).path == "dir/0"
    assert loads == [*range(count), 0]
    with pytest.raises(IndexError):
        reader.entry(count * 4096)


def _bundle(batches: list[EntryBatch], first_entry: int, stop_entry: int, size_bytes: int) -> list[str]:
    contents = extents_of(
        batches,
        first_entry=first_entry,
        stop_entry=stop_entry,
        offset_bytes=0,
        size_bytes=size_bytes,
        bundle_limit_bytes=10,
    )
    return list(contents.extents.paths)


def test_a_bundle_takes_what_lies_in_its_range_from_several_batches() -> None:
    batches = [files(0, ["a", "b"], directory=""), files(2, ["c"], size_bytes=11), files(3, ["d", "e"])]
    assert _bundle(batches, 1, 4, 2) == ["b", "dir/d"]


def test_a_segment_that_does_not_fit_the_listing_is_refused() -> None:
    batches = [files(0, ["a", "b"]), files(2, ["c", "d"])]
    with pytest.raises(ValueError, match="planned were 5"):
        _bundle(batches, 0, 5, 5)
    with pytest.raises(ValueError, match="planned were 4"):
        _bundle(batches[1:], 0, 4, 4)
    with pytest.raises(ValueError, match="or to none"):
        _bundle(batches, 4, 5, 1)
    with pytest.raises(ValueError, match="planned were 5"):
        _bundle(batches, 0, 4, 5)
    with pytest.raises(ValueError, match="several sources"):
        _bundle([batches[0], replace(batches[1], source="other")], 0, 4, 4)
