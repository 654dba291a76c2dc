"""Writes the golden segments: ``python tests/golden/make_segments.py``.

Once format version 1 is released its segments are never written anew: later releases must read these very bytes.  A
later version adds files of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from tasks.receipts import ExtentNote, FileState
from tasks.values import Extent, Extents
from workers.format.header import SegmentHeader, all_of
from workers.format.writer import SegmentWriter
from workers.units.compress import UnitCompressor

FOLDER = Path(__file__).parent / "segments"
UNIT_BYTES = 64 * 1024
CELL_BYTES = 4 * 1024 * 1024


class Golden(NamedTuple):
    header: SegmentHeader
    stream: bytes
    notes: tuple[ExtentNote, ...]
    file_state: FileState | None


def golden(
    number: int,
    rows: list[Extent],
    stream: bytes,
    *,
    notes: tuple[ExtentNote, ...] = (),
    state: FileState | None = None,
    ranges: tuple[tuple[int, int], ...] | None = None,
) -> Golden:
    header = SegmentHeader(
        segment_id=f"{number:032x}",
        object_id=f"{number:02x}" + "0b" * 15,
        ranges=all_of(len(stream)) if ranges is None else ranges,
        snapshot_id="5eed" * 8,
        volume="home",
        number=number,
        source="data",
        extents=Extents.of(rows),
        threshold_bytes=1_000_000,
        unit_bytes=UNIT_BYTES,
        block_bytes=4096,
        level=3,
    )
    return Golden(header=header, stream=stream, notes=notes, file_state=state)


def text(size_bytes: int) -> bytes:
    lines = b"".join(b"%d bottles of beer on the wall\n" % number for number in range(size_bytes // 28))
    return lines[:size_bytes]


GOLDEN = {
    "bundle-v1": golden(
        1,
        [
            Extent(path="a/one.txt", offset_bytes=0, size_bytes=11),
            Extent(path="a/three.txt", offset_bytes=0, size_bytes=100_000),
            Extent(path="a/two.txt", offset_bytes=0, size_bytes=13),
        ],
        b"first file\n" + text(100_000) + b"another file\n",
    ),
    "piece-v1": golden(
        2,
        [Extent(path="images/disk.img", offset_bytes=7_000_000_000, size_bytes=3 * UNIT_BYTES)],
        text(UNIT_BYTES) + bytes(UNIT_BYTES) + text(UNIT_BYTES),
        state=FileState(
            size_bytes=9_000_000_000, mtime_ns=1_700_000_000_123_456_789, ctime_ns=1_700_000_001_000_000_000
        ),
    ),
    "notes-v1": golden(
        3,
        [
            Extent(path="log/gone", offset_bytes=0, size_bytes=5),
            Extent(path="log/secret", offset_bytes=0, size_bytes=4),
            Extent(path="log/shrunk", offset_bytes=0, size_bytes=10),
        ],
        bytes(5) + bytes(4) + b"half!" + bytes(5),
        notes=(
            ExtentNote(index=0, trouble="vanished", read_bytes=0, message="log/gone: No such file or directory"),
            ExtentNote(index=1, trouble="unreadable", read_bytes=0, message="log/secret: Permission denied"),
            ExtentNote(index=2, trouble="changed", read_bytes=5, message="log/shrunk: 5 bytes instead of 10"),
        ),
    ),
    "not-utf-8-v1": golden(
        4,
        [
            Extent(path="caf\udce9/na\nme", offset_bytes=0, size_bytes=4),
            Extent(path="é" * 127, offset_bytes=0, size_bytes=4),
            Extent(path="\U0001f980", offset_bytes=0, size_bytes=4),
        ],
        b"one\ntwo\nsix\n",
    ),
    "no-extents-v1": golden(5, [], b""),
    "part-v1": golden(
        7,
        [
            Extent(path="a/one.txt", offset_bytes=0, size_bytes=11),
            Extent(path="a/two.txt", offset_bytes=0, size_bytes=13),
        ],
        b"first file\nanother file\n",
        ranges=((0, 11), (100_011, 13)),
    ),
    "cells-v1": golden(
        6,
        [
            Extent(path="mail/box", offset_bytes=3 * CELL_BYTES - 5, size_bytes=CELL_BYTES + 12),
            Extent(path="mail/index", offset_bytes=CELL_BYTES, size_bytes=CELL_BYTES),
        ],
        b"lines" + text(70_000) + bytes(CELL_BYTES - 70_000) + b"of mail" + bytes(CELL_BYTES - 70_000) + text(70_000),
    ),
}


def write_segment(segment: Golden) -> bytes:
    stored = bytearray()
    writer = SegmentWriter(segment.header, stored.extend)
    compressor = UnitCompressor(segment.header.level)
    for start in range(0, len(segment.stream), UNIT_BYTES):
        unit = segment.stream[start : start + UNIT_BYTES]
        writer.add_unit(compressor.compress(unit), len(unit))
    extent_digests, cell_digests = digests(segment)
    writer.finish(
        notes=segment.notes, file_state=segment.file_state, extent_digests=extent_digests, cell_digests=cell_digests
    )
    return bytes(stored)


def digests(segment: Golden) -> tuple[bytes, bytes]:
    """Those of all extents and of their cells, as docs/format.md says."""
    read_bytes = {note.index: note.read_bytes for note in segment.notes}
    extents, listed, at_bytes = b"", b"", 0
    for index, extent in enumerate(segment.header.extents):
        data = segment.stream[at_bytes : at_bytes + read_bytes.get(index, extent.size_bytes)]
        first_bytes = CELL_BYTES - extent.offset_bytes % CELL_BYTES
        starts = [0, *range(first_bytes, len(data), CELL_BYTES)] if data else []
        stops = [*starts[1:], len(data)]
        cells = [blake3(data[start:stop]).digest()[:16] for start, stop in zip(starts, stops, strict=False)]
        extents += cells[0] if len(cells) == 1 else blake3(b"".join(cells)).digest()[:16] if cells else bytes(16)
        listed += b"".join(cells) if len(cells) > 1 else b""
        at_bytes += extent.size_bytes
    return extents, listed


def main() -> None:
    for name, segment in GOLDEN.items():
        path = FOLDER / f"{name}.seg"
        if not path.exists():
            path.write_bytes(write_segment(segment))


if __name__ == "__main__":
    main()
