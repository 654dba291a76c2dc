"""Listing parts give back what was put in, damaged ones say so, and segments share out the files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.listing import EntryBatch, ListingReader, ListingWriter, SegmentContents, decode_part, extents_of
from producer.listing.frames import compress_lines, encode_line
from tasks.errors import DamagedError
from tasks.values import Extent, is_safe_path

#: Names as Linux has them: any bytes but "/" and NUL.
NAMES = (
    st.binary(min_size=1, max_size=255)
    .filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))
    .map(lambda name: name.decode("utf-8", "surrogateescape"))
)
IDS = st.integers(0, 2**32 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
SIZES = st.one_of(st.integers(0, 5000), st.integers(0, 2**63 - 1))


@st.composite
def batches(draw: st.DrawFn) -> list[EntryBatch]:
    """A listing of one source: its own entry, then up to six batches."""
    made = [draw(_batch("", 0, [""], "d"))]
    for _ in range(draw(st.integers(0, 6))):
        directory = "/".join(draw(st.lists(NAMES, max_size=3)))
        names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
        kinds = draw(st.text("dflhpcb", min_size=len(names), max_size=len(names)))
        made.append(draw(_batch(directory, made[-1].stop_entry, names, kinds)))
    return made


@st.composite
def _batch(draw: st.DrawFn, directory: str, first_entry: int, names: list[str], kinds: str) -> EntryBatch:
    def column(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=len(names), max_size=len(names)))

    return EntryBatch(
        source="src",
        directory=directory,
        first_entry=first_entry,
        names=names,
        kinds=kinds,
        modes=column(st.integers(0, 0o7777)),
        uids=column(IDS),
        gids=column(IDS),
        mtimes_ns=column(TIMES),
        ctimes_ns=column(TIMES),
        sizes_bytes=[draw(SIZES) if kind == "f" else -1 for kind in kinds],
        links={name: draw(NAMES) for name, kind in zip(names, kinds, strict=True) if kind in "lh"},
        device_numbers={name: draw(IDS) for name, kind in zip(names, kinds, strict=True) if kind in "cb"},
    )


def written(listing: list[EntryBatch]) -> Iterator[bytes]:
    writer = ListingWriter()
    for batch in listing:
        yield from (part.data for part in writer.add(batch))
    yield from (part.data for part in writer.flush())


@given(batches())
def test_what_is_written_is_read_back(listing: list[EntryBatch]) -> None:
    assert [batch for data in written(listing) for batch in decode_part(data)] == listing


@given(batches(), st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing(listing: list[EntryBatch], data: st.DataObject) -> None:
    # A few header bits of a zstd frame mean nothing; changing one must leave the content as it was.
    part = bytearray(next(written(listing)))
    part[data.draw(st.integers(0, len(part) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DamagedError):
        assert decode_part(bytes(part)) == listing


@given(batches(), st.data())
def test_a_truncated_part_is_noticed(listing: list[EntryBatch], data: st.DataObject) -> None:
    part = next(written(listing))
    with pytest.raises(DamagedError):
        decode_part(part[: data.draw(st.integers(0, len(part) - 1))])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(batches(), st.data())
def test_any_other_value_in_a_field_is_refused_or_harmless(listing: list[EntryBatch], data: st.DataObject) -> None:
    line: dict[str, Any] = msgspec.to_builtins(listing[-1])
    line[data.draw(st.sampled_from(sorted(line)))] = data.draw(JSON)
    with contextlib.suppress(DamagedError):
        for entry in decode_part(compress_lines([json.dumps(line).encode()]))[0]:
            assert is_safe_path(entry.path)


@given(batches(), st.integers(0, 10_000), st.data())
def test_consecutive_segments_hold_every_file_up_to_the_limit_once(
    listing: list[EntryBatch], limit_bytes: int, data: st.DataObject
) -> None:
    entries = [entry for batch in listing for entry in batch]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(entries)), max_size=5)) | {0, len(entries)})
    held: list[tuple[int, Extent]] = []
    for first_entry, stop_entry in pairwise(cuts):
        sizes = [entry.size_bytes for entry in entries[first_entry:stop_entry] if entry.size_bytes <= limit_bytes]
        if sum(sizes) == 0:
            continue  # a plan makes no segment without bytes
        contents = extents_of(
            listing,
            first_entry=first_entry,
            stop_entry=stop_entry,
            offset_bytes=0,
            size_bytes=sum(sizes),
            bundle_limit_bytes=limit_bytes,
        )
        held += zip(contents.entries, contents.extents, strict=True)
    assert held == [
        (entry.index, Extent(path=entry.path, offset_bytes=0, size_bytes=entry.size_bytes))
        for entry in entries
        if 0 < entry.size_bytes <= limit_bytes
    ]


@given(batches(), st.integers(0, 2**40), st.integers(1, 2**40), st.data())
def test_a_piece_is_a_range_of_its_one_file(
    listing: list[EntryBatch], offset_bytes: int, size_bytes: int, data: st.DataObject
) -> None:
    entry = data.draw(st.sampled_from([entry for batch in listing for entry in batch]))

    def piece() -> SegmentContents:
        return extents_of(
            listing,
            first_entry=entry.index,
            stop_entry=entry.index + 1,
            offset_bytes=offset_bytes,
            size_bytes=size_bytes,
            bundle_limit_bytes=10,
        )

    if offset_bytes + size_bytes > entry.size_bytes:
        with pytest.raises(ValueError, match="planned were"):
            piece()
    else:
        expected = Extent(path=entry.path, offset_bytes=offset_bytes, size_bytes=size_bytes)
        assert (list(piece().extents), piece().entries) == ([expected], [entry.index])


@given(batches(), st.data())
def test_a_reader_gives_any_range_from_any_parts(listing: list[EntryBatch], data: st.DataObject) -> None:
    parts = [compress_lines([encode_line(batch)]) for batch in listing]
    reader = ListingReader([batch.first_entry for batch in listing], lambda number: decode_part(parts[number]))
    entries = [entry for batch in listing for entry in batch]
    first_entry = data.draw(st.integers(0, len(entries) - 1))
    stop_entry = data.draw(st.integers(first_entry + 1, len(entries)))
    found = [entry for batch in reader.batches(first_entry, stop_entry) for entry in batch]
    assert [entry for entry in found if first_entry <= entry.index < stop_entry] == entries[first_entry:stop_entry]
    assert reader.entry(first_entry) == entries[first_entry]
