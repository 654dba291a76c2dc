"""A segment in memory on a device that can be damaged, and orders to restore from it."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, Self, cast

from kit.stored.digests import digests_of
from tasks.errors import DeviceError
from tasks.orders import Overwrite, RestoreSegment
from tasks.receipts import RestoreResult
from tasks.values import Extent, Extents
from workers.devices.base import Device
from workers.devices.keys import object_key
from workers.devices.trouble import UnreadableError
from workers.format.header import SegmentHeader, all_of
from workers.format.reader import SegmentReader, StoredUnit
from workers.format.writer import SegmentWriter
from workers.restore import restore_segment
from workers.target.content.pieced_files import prepare_pieced_file
from workers.target.folders import Folders
from workers.target.unfinished import temporary_name
from workers.units.compress import UnitCompressor

UNIT = 64 * 1024
OBJECT_ID = "ab" * 16
RUN_ID = "1" * 32
MTIME_NS = 1_600_000_000_123_456_789
#: Mode, owner, group and time; empty for a part of a file.
Metadata = tuple[int, int, int, int] | tuple[()]

#: Path, stream offset, file offset, size, metadata.
Row = tuple[str, int, int, int, Metadata]

WHOLE: Metadata = (0o640, os.getuid(), os.getgid(), MTIME_NS)


class Progress:
    bytes_count = 0

    def add(self, bytes_count: int) -> None:
        self.bytes_count += bytes_count


class MemoryObject:
    def __init__(self, device: MemoryDevice) -> None:
        self.device = device
        self.size_bytes = len(device.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        if self.device.bad_sector in range(offset_bytes, offset_bytes + size_bytes):
            if self.device.dies:
                self.device.is_gone = True
            raise UnreadableError("a", Path("/a"), OSError(5, "Input/output error"))
        self.device.reads.append(offset_bytes)
        return bytes(self.device.data[offset_bytes : offset_bytes + size_bytes])


class MemoryDevice:
    """One segment, which can be damaged."""

    name = "a"
    bad_sector = -1
    dies = is_gone = False

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.reads: list[int] = []
        digest = SegmentReader(MemoryObject(self).read, len(data)).trailer_digest
        assert digest is not None
        self.trailer_digest = digest
        self.reads.clear()

    def open(self, key: str) -> MemoryObject | None:
        if self.is_gone:
            raise DeviceError("device a is gone")
        return MemoryObject(self) if key == object_key(OBJECT_ID) else None

    def units(self) -> tuple[StoredUnit, ...]:
        return SegmentReader(MemoryObject(self).read, len(self.data), salvage=True).units

    def damage_unit(self, index: int) -> None:
        unit = self.units()[index]
        self.data[unit.stored_offset_bytes + unit.stored_bytes // 2] ^= 0xFF


def store(files: dict[str, bytes]) -> MemoryDevice:
    stream, extents = b"".join(files.values()), [(path, 0, len(data)) for path, data in files.items()]
    header = SegmentHeader(
        segment_id="5e" * 16,
        object_id=OBJECT_ID,
        ranges=all_of(len(stream)),
        snapshot_id="cd" * 16,
        volume="v",
        number=0,
        source="s",
        extents=Extents.of([Extent(path=p, offset_bytes=o, size_bytes=n) for p, o, n in extents]),
        threshold_bytes=len(stream),
        unit_bytes=UNIT,
        block_bytes=4096,
        level=1,
    )
    stored = bytearray()
    writer = SegmentWriter(header, stored.extend)
    for start in range(0, len(stream), UNIT):
        unit = stream[start : start + UNIT]
        writer.add_unit(UnitCompressor(1).compress(unit), len(unit))
    writer.finish(notes=(), file_state=None, **digests_of(header.extents, stream))
    return MemoryDevice(bytes(stored))


def order(
    rows: list[Row],
    device: MemoryDevice,
    overwrite: Overwrite = "always",
    threads: int = 2,
    object_id: str = OBJECT_ID,
    unproved: bool = False,
    sparse: tuple[int, ...] = (),
) -> RestoreSegment:
    """To restore what was stored on ``device``; rows are (path, stream offset, file offset, size, metadata)."""
    paths, stream_offsets, offsets, sizes, metadata = zip(*rows, strict=True) if rows else ((),) * 5
    return RestoreSegment(
        run_id=RUN_ID,
        order_id="2" * 32,
        device="a",
        device_id="ef" * 16,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        object_id=object_id,
        trailer_digest=device.trailer_digest.hex(),
        unproved=unproved,
        sparse=sparse,
        target="t",
        paths=paths,
        stream_offsets_bytes=stream_offsets,
        offsets_bytes=offsets,
        sizes_bytes=sizes,
        metadata=metadata,
        overwrite=overwrite,
        threads=threads,
    )


def whole_files(files: dict[str, bytes], metadata: Metadata = WHOLE) -> list[Row]:
    rows: list[Row] = []
    stream_offset = 0
    for path, data in files.items():
        rows.append((path, stream_offset, 0, len(data), metadata))
        stream_offset += len(data)
    return rows


def restore(target: Path, device: MemoryDevice, rows: list[Row], **options: Any) -> RestoreResult:
    return restore_segment(
        order(rows, device, **options), device=cast(Device, device), target_root=target, progress=Progress()
    )


def prepare(target: Path, path: str) -> Path:
    """Make a file to which several orders contribute; returns where its content goes until it is finished."""
    with Folders(target) as folders:
        prepare_pieced_file(folders, path, RUN_ID)
    return unfinished(target, path)


def unfinished(target: Path, path: str) -> Path:
    """Where the content of a file is until it takes its place."""
    return (target / path).parent / temporary_name(RUN_ID, path)


def pattern(size: int, seed: int = 1) -> bytes:
    block = bytes((i * seed * 7 + seed) % 251 + 1 for i in range(1009))
    return (block * (size // 1009 + 1))[:size]


FILES = {
    "a": b"first",
    "dir/large": pattern(3 * UNIT + 17),
    "dir/sub/b": pattern(100, 2),
    "dir/sub/c": pattern(UNIT, 3),
    "z": b"last",
}

#: Large enough that looking for the parts of the segment does not read all of it.
INCOMPRESSIBLE = {"large": random.Random(0).randbytes(60 * UNIT), "small": b"small"}


def content(target: Path) -> dict[str, bytes]:
    return {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
