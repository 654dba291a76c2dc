"""A few bytes on a device claim to be much: they are refused before they cost the memory or the time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
import zstandard
from blake3 import blake3

from kit.program.limited import run_limited
from kit.stored.forgery import forged_segment
from producer.listing.frames import MAX_PART_BYTES
from tasks.values import MAX_UNITS_COUNT, Extents
from workers.format import layout
from workers.format.header import SegmentHeader, all_of
from workers.units.compress import UnitCompressor

MIB, GIB = 1024**2, 1024**3
UNIT_BYTES = 64 * 1024

HEADER = SegmentHeader(
    segment_id="5" * 32,
    object_id="b" * 32,
    ranges=all_of(UNIT_BYTES),
    snapshot_id="a" * 32,
    volume="home",
    number=0,
    source="data",
    extents=Extents(paths=("one",), offsets_bytes=(0,), sizes_bytes=(UNIT_BYTES,)),
    threshold_bytes=1,
    unit_bytes=UNIT_BYTES,
    block_bytes=4096,
    level=3,
)

OPEN = """
import os
from tasks.errors import DamagedError
from workers.format.reader import SegmentReader
fd = os.open({path!r}, os.O_RDONLY)
size = os.fstat(fd).st_size
read = lambda offset, count: os.pread(fd, count, offset)
"""

#: As a segment whose content nobody knows, and as the one that an order names.
READ = """
for digest in (None, bytes(32)):
    try:
        reader = SegmentReader(read, size, salvage=True, trailer_digest=digest)
        reader.damaged_ranges()
        print("opened", reader.damage)
    except DamagedError as error:
        print("refused", error)
"""


#: Bytes, and how often they are repeated: the texts themselves would stay in the memory of each process of the tests,
#: of which every fork costs as much as its memory.
Pieces = tuple[tuple[bytes, int], ...]


def text_of(pieces: Pieces) -> bytes:
    return b"".join(part * count for part, count in pieces)


def open_limited(path: Path) -> str:
    return run_limited(READ, setup=OPEN.format(path=str(path)))


def envelope(frame_magic: int, magic: bytes, text: bytes) -> bytes:
    """A header or trailer that is whole, whatever its content."""
    packed = UnitCompressor(19).compress(text)
    size_bytes = layout.ENVELOPE_BYTES - layout.FRAME_START.size + len(packed)
    start = layout.ENVELOPE.pack(frame_magic, size_bytes, magic, 1, 0, 1, 1, 0, 0, len(packed), len(text), bytes(8))
    return start + blake3(start + packed).digest() + packed


def header_of_text(text: bytes) -> bytes:
    return envelope(layout.HEADER_FRAME_MAGIC, b"SEGFHEAD", text)


def footer(count: int) -> bytes:
    return layout.SEEK_TABLE_FOOTER.pack(count, 0, layout.SEEK_TABLE_FOOTER_MAGIC)


def test_a_segment_of_some_hundred_bytes_that_claims_2_to_the_45_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.seg"
    whole = forged_segment(HEADER, bytes(UNIT_BYTES))
    text = json.dumps(
        {
            **msgspec.to_builtins(HEADER),
            "extents": {"paths": ["x"], "offsets_bytes": [0], "sizes_bytes": [2**45]},
        }
    ).encode()
    old_bytes = 8 + int.from_bytes(whole[4:8], "little")
    path.write_bytes(header_of_text(text) + whole[old_bytes:])

    assert open_limited(path).count("refused") >= 1


@pytest.mark.parametrize(
    "pieces",
    [
        ((b"[", 1), (b"[],", 20 * MIB), (b"[]]", 1)),
        ((b'{"extents":{"paths":[', 1), (b'"",', 20 * MIB), (b'""]}}', 1)),
        ((b'{"a":', 100_000), (b"0", 1), (b"}", 100_000)),
        ((b'"', 1), (b"x\\", 30 * MIB)),
    ],
    ids=["empty lists", "empty names", "nesting", "a string without an end"],
)
def test_a_header_of_some_kilobytes_that_unpacks_to_millions_of_values_is_refused(
    tmp_path: Path, pieces: Pieces
) -> None:
    path = tmp_path / "x.seg"
    path.write_bytes(header_of_text(text_of(pieces)) + footer(0))

    assert open_limited(path).count("refused") == 2


def test_a_sparse_seek_table_of_millions_of_rows_is_refused(tmp_path: Path) -> None:
    path, count = tmp_path / "x.seg", 20_000_000
    content_bytes = count * layout.SEEK_TABLE_ENTRY.size + layout.SEEK_TABLE_FOOTER.size
    with path.open("wb") as file:
        file.write(forged_segment(HEADER, bytes(UNIT_BYTES)))
        file.truncate(2 * GIB)
        file.seek(2 * GIB)
        file.write(layout.FRAME_START.pack(layout.SEEK_TABLE_FRAME_MAGIC, content_bytes))
        file.seek(content_bytes - layout.SEEK_TABLE_FOOTER.size, os.SEEK_CUR)
        file.write(footer(count))

    run = open_limited(path)

    assert "20000000" not in run
    assert run.count("refused") >= 1


def test_the_rows_of_a_seek_table_are_bounded_by_the_format_too(tmp_path: Path) -> None:
    path, count = tmp_path / "x.seg", MAX_UNITS_COUNT + 3
    table = layout.SEEK_TABLE_ENTRY.pack(100, 1) * count + footer(count)
    with path.open("wb") as file:
        file.truncate(100 * count)
        file.seek(100 * count)
        file.write(layout.FRAME_START.pack(layout.SEEK_TABLE_FRAME_MAGIC, len(table)) + table)

    assert open_limited(path).count("refused") == 2


@pytest.mark.parametrize("end", [b"", footer(3)], ids=["no seek table", "half a seek table"])
def test_a_sparse_terabyte_of_empty_blocks_is_left_after_the_first(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "x.seg"
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(UNIT_BYTES))
    start = frame[: zstandard.frame_header_size(frame)]
    whole = forged_segment(HEADER, bytes(UNIT_BYTES))
    with path.open("wb") as file:
        file.write(whole[: 8 + int.from_bytes(whole[4:8], "little")] + start)
        file.truncate(1024 * GIB)
        file.seek(0, os.SEEK_END)
        file.write(end)

    # Twice the header only: what follows cannot be located.
    assert open_limited(path).count("\n") == 2


def test_a_frame_of_more_blocks_than_its_content_needs_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.seg"
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(UNIT_BYTES))
    start = frame[: zstandard.frame_header_size(frame)]
    whole = forged_segment(HEADER, bytes(UNIT_BYTES))
    # Blocks of one repeated byte each: four bytes of the file.
    blocks = (1 << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    path.write_bytes(whole[: 8 + int.from_bytes(whole[4:8], "little")] + start + blocks * 500_000)

    assert "more than its content needs" in open_limited(path)


PART = """
from producer.listing.tree.decoding import decode_tree_part
from tasks.errors import DamagedError
data = open({path!r}, "rb").read()
"""

DECODE_PART = """
try:
    decode_tree_part(data, "src", 0)
    print("decoded")
except DamagedError as error:
    print("refused", error)
"""


@pytest.mark.parametrize(
    "pieces",
    [
        ((b"[", 1), (b"[],", 5 * MIB), (b"[]]\n", 1)),
        ((b'{"names":[', 1), (b'"",', 5 * MIB), (b'""]}\n', 1)),
        ((b"ab\n", 5 * MIB),),
        ((b" ", 60 * MIB), (b"\n", 1)),
        ((b'{"more":', 1), (b"[", 100_000), (b"]", 100_000), (b"}\n", 1)),
    ],
    ids=["empty lists", "empty names", "short lines", "more than a part may have", "lists in each other"],
)
def test_a_listing_part_of_some_kilobytes_does_not_unpack_to_gigabytes(tmp_path: Path, pieces: Pieces) -> None:
    path = tmp_path / "x.part"
    text = b'{"segment_ids":[]}\n' + text_of(pieces)
    path.write_bytes(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(text))
    assert path.stat().st_size < 16 * 1024
    assert MAX_PART_BYTES <= 16 * 1024 * 1024

    assert run_limited(DECODE_PART, setup=PART.format(path=str(path)), more_mib=200).startswith("refused")


MANIFEST = """
from pathlib import Path
from tasks.errors import DamagedError
from tasks.orders import GetManifest
from workers.devices.local.device import LocalDevice
from workers.devices.manifests import get_manifest
device = LocalDevice("a", Path({path!r}))
order = GetManifest(
    run_id="1" * 32, order_id="2" * 32, device="a", device_id="d" * 32, epoch=0, attempt=1, reply_to="manager.m",
    name="5" * 32 + ".manifest",
)
"""

GET_MANIFEST = """
try:
    get_manifest(order, device=device)
    print("read")
except DamagedError as error:
    print("refused", error)
"""


def test_a_sparse_manifest_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    marker = {"format_version": 1, "device_id": "d" * 32, "name": "a", "pool_id": "e" * 32, "created": ""}
    (tmp_path / "segfleet.json").write_text(json.dumps(marker))
    (tmp_path / "manifests").mkdir()
    head = tmp_path / "manifests" / ("5" * 32 + ".manifest")
    head.touch()
    os.truncate(head, 3 * GIB)

    assert run_limited(GET_MANIFEST, setup=MANIFEST.format(path=str(tmp_path)), more_mib=100).startswith("refused")
