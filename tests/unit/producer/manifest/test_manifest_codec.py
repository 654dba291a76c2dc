"""Heads, trees, packs, index and troubles: what is written is read back, and nonsense is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from producer.listing.frames import PART_BYTES, compress_lines
from producer.listing.places.stored_cells import CellColumns
from producer.manifest import (
    IndexRow,
    ManifestDevice,
    ManifestHead,
    ManifestPart,
    ManifestSource,
    ManifestTotals,
    ManifestTrouble,
    TreeReference,
    decode_head,
    decode_index,
    decode_pack,
    decode_tree,
    decode_troubles,
    encode_head,
    encode_index,
    encode_packs,
    encode_tree,
    encode_troubles,
    head_name,
    part_name,
)
from producer.manifest.index import DIGESTS_A_LINE, ROWS_A_LINE
from tasks.errors import DamagedError, DeviceError

SNAPSHOT = "5eed" * 8

HEAD = ManifestHead(
    snapshot_id=SNAPSHOT,
    pool_id="a" * 32,
    volume="home",
    mode="files",
    started="2025-03-01T12:00:00Z",
    ended="2025-03-01T12:00:01.250Z",
    hostname="host",
    program_version="0.1.0",
    tags=("weekly",),
    sources=(ManifestSource(name="src", path="/home/\udcff"), ManifestSource(name="etc", path="/etc")),
    split="threshold",
    order="descending",
    threshold_bytes=1000,
    unit_bytes=24 * 1024 * 1024,
    block_bytes=64 * 1024,
    level=3,
    devices=(ManifestDevice(name="a", device_id="b" * 32, segments_count=2, bytes_stored=10),),
    totals=ManifestTotals(files_count=80, bytes_source=1000, bytes_stored=10, segments_count=2),
    parts=(
        ManifestPart(name=part_name(SNAPSHOT, 0), kind="tree", size_bytes=9, blake3="c" * 64),
        ManifestPart(name=part_name(SNAPSHOT, 1), kind="pack", size_bytes=9, blake3="c" * 64),
        ManifestPart(name=part_name(SNAPSHOT, 2), kind="index", size_bytes=9, blake3="c" * 64),
    ),
)


def test_names_of_files_are_those_that_an_order_takes() -> None:
    assert head_name(SNAPSHOT) == f"{SNAPSHOT}.manifest"
    assert part_name(SNAPSHOT, 12) == f"{SNAPSHOT}.000012.part"


def test_a_head_is_read_back() -> None:
    assert decode_head(encode_head(HEAD)) == HEAD


def test_a_head_is_lines_of_ascii_for_people() -> None:
    lines = encode_head(HEAD).decode("ascii").splitlines()
    assert lines[:3] == ["{", '  "format_version": 1,', f'  "snapshot_id": "{SNAPSHOT}",']


def _changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(encode_head(HEAD)) | changes).encode()


def test_unknown_keys_of_a_head_are_ignored() -> None:
    assert decode_head(_changed(mirrors=2)) == HEAD


def test_a_head_of_a_later_format_asks_for_a_newer_program() -> None:
    with pytest.raises(DeviceError, match="format version 2") as caught:
        decode_head(_changed(format_version=2, sources=5))
    assert not isinstance(caught.value, DamagedError)
    assert caught.value.hint == "use a newer segfleet"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        encode_head(HEAD)[:-3],
        _changed(format_version="1"),
        _changed(snapshot_id="../../etc"),
        _changed(snapshot_id="0" * 32),
        _changed(started="yesterday"),
        _changed(totals=None),
        _changed(parent_id="5eed"),
        _changed(parts=[{"name": f"{SNAPSHOT}.000000.part", "kind": "listing", "size_bytes": 9, "blake3": "c" * 64}]),
        _changed(unit_bytes=1),
    ],
)
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        decode_head(data)


def _row(number: int, digests_count: int = 0) -> IndexRow:
    return IndexRow(
        object_id=f"{number:030x}0b",
        segment_id=f"{number:032x}",
        device=number % 3,
        size_bytes=100,
        bytes_stored=10,
        trailer_digest="7" * 64,
        ranges=((0, 40), (70, 60)) if number == 1 else (),
        cells=CellColumns([7] * digests_count, b"d" * 16 * digests_count) if digests_count else None,
    )


def test_an_index_is_read_back_with_its_digests_and_ranges() -> None:
    rows = [_row(number, number % 2) for number in range(2 * ROWS_A_LINE + 1)]
    assert [row for part in encode_index(rows) for row in decode_index(part)] == rows


def test_segments_with_many_digests_are_spread_over_lines() -> None:
    rows = [_row(number, DIGESTS_A_LINE) for number in range(8)]
    parts = list(encode_index(rows))
    contents = [zstandard.ZstdDecompressor().decompress(part) for part in parts]
    assert sum(content.count(b"\n") for content in contents) == 8
    assert all(len(content) < 2 * PART_BYTES for content in contents)
    assert [row for part in parts for row in decode_index(part)] == rows


def test_nothing_makes_no_part() -> None:
    assert list(encode_index([])) == list(encode_troubles([])) == list(encode_tree([])) == list(encode_packs([])) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("segment_ids", []),
        ("object_ids", ["x"]),
        ("ranges", {"0" * 32: [[0]]}),
        ("segment_ids", ["x"]),
        ("sizes_bytes", [1.5]),
        ("bytes_stored", [-1]),
        ("trailer_digests", ["7"]),
        ("devices", None),
        ("cells", {"0" * 32: {"sizes_bytes": [1], "digests": ""}}),
        ("cells", {"0" * 32: {"sizes_bytes": [-1], "digests": "A" * 22 + "=="}}),
    ],
)
def test_an_index_part_that_says_nonsense_is_refused(key: str, value: object) -> None:
    (part,) = encode_index([_row(0)])
    line = json.loads(zstandard.ZstdDecompressor().decompress(part)) | {key: value}
    with pytest.raises(DamagedError):
        decode_index(compress_lines([json.dumps(line).encode()]))


def test_the_list_of_a_tree_is_read_back() -> None:
    references = [TreeReference(f"{number:064x}", number // 5000, number) for number in range(9000)]
    assert [found for part in encode_tree(references) for found in decode_tree(part)] == references


def test_a_list_of_a_tree_whose_columns_differ_is_refused() -> None:
    line = {"digests": ["a" * 64], "sources": [0], "entries_counts": []}
    with pytest.raises(DamagedError, match="differ in length"):
        decode_tree(compress_lines([json.dumps(line).encode()]))


def test_packs_are_of_bounded_size_and_read_back() -> None:
    parts = {f"{number:064x}": bytes([number]) * 300_000 for number in range(20)}
    packs = list(encode_packs(parts.items()))
    assert len(packs) > 1
    assert all(len(pack) < 2 * PART_BYTES for pack in packs)
    assert {digest: data for pack in packs for digest, data in decode_pack(pack).items()} == parts


def test_a_pack_shows_what_is_in_it_to_a_person() -> None:
    (pack,) = encode_packs([("a" * 64, compress_lines([b"one"])), ("b" * 64, compress_lines([b"two"]))])
    text = zstandard.ZstdDecompressor().stream_reader(pack, read_across_frames=True).read()
    assert text.splitlines()[1:] == [b"one", b"two"]


@pytest.mark.parametrize(
    "pack",
    [
        b"",
        b"x" * 100,
        next(encode_packs([("a" * 64, b"data")]))[:-1],
        next(encode_packs([("a" * 64, b"data")])) + b"more",
        next(encode_packs([("a" * 64, b"data")]))[:20],
        zstandard.ZstdCompressor().compress(b"\n" * 20_000_000),
    ],
)
def test_what_is_no_pack_is_refused(pack: bytes) -> None:
    with pytest.raises(DamagedError):
        decode_pack(pack)


def test_troubles_are_read_back_one_a_line() -> None:
    rows = [
        ManifestTrouble(entry=-1, path="/src/closed", code="unreadable", message="Permission denied"),
        ManifestTrouble(entry=7, path="src/\udcff\n", code="vanished", message="gone"),
    ]
    (part,) = encode_troubles(rows)
    assert zstandard.ZstdDecompressor().decompress(part).count(b"\n") == 2
    assert decode_troubles(part) == rows


def test_many_troubles_take_several_parts() -> None:
    row = ManifestTrouble(entry=7, path="src/" + "n" * 4000, code="vanished", message="gone")
    parts = list(encode_troubles([row] * 1000))
    assert len(parts) > 1
    assert [found for part in parts for found in decode_troubles(part)] == [row] * 1000


def test_a_trouble_about_no_possible_entry_is_refused() -> None:
    (part,) = encode_troubles([replace(ManifestTrouble(entry=0, path="", code="x", message=""), entry=-2)])
    with pytest.raises(DamagedError):
        decode_troubles(part)
