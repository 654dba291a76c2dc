"""What somebody who can write to a device puts in the place of what was stored there."""

from __future__ import annotations

import random
from pathlib import Path

from kit.stored.digests import digests_of
from tasks.receipts import FileState
from workers.format.header import SegmentHeader
from workers.format.reader import SegmentReader
from workers.format.writer import SegmentWriter
from workers.units.compress import UnitCompressor

#: Digests compress to one byte more or less.
_TRIES_COUNT = 2000

#: Not those of kit.tree.noise.
_FIRST_SEED = 1_000_000


def open_segment(path: Path) -> SegmentReader:
    stored = path.read_bytes()
    return SegmentReader(lambda offset, size: stored[offset : offset + size], len(stored), salvage=True)


def forged_segment(header: SegmentHeader, stream: bytes, file_state: FileState | None = None) -> bytes:
    """A whole segment with this header and any stream of its length."""
    stored = bytearray()
    writer, compressor = SegmentWriter(header, stored.extend), UnitCompressor(header.level)
    for start in range(0, len(stream), header.unit_bytes):
        unit = stream[start : start + header.unit_bytes]
        writer.add_unit(compressor.compress(unit), len(unit))
    writer.finish(notes=(), file_state=file_state, **digests_of(header.extents, stream))
    return bytes(stored)


def exchange_content(path: Path) -> bytes:
    """Make of a stored segment another whole one, with its header and its size; returns the content that it has now."""
    reader, size_bytes = open_segment(path), path.stat().st_size
    header, file_state = reader.header, reader.trailer.file_state
    for seed in range(_FIRST_SEED, _FIRST_SEED + _TRIES_COUNT):
        stream = random.Random(seed).randbytes(header.stream_bytes)
        forged = forged_segment(header, stream, file_state)
        if len(forged) == size_bytes:
            path.write_bytes(forged)
            return stream
    raise AssertionError(f"no other content of {path} takes {size_bytes} bytes")


def flip(path: Path, position: int) -> None:
    """Change the byte at ``position``, which counts from the end when it is negative."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)
