"""Writes what is still needed of a stored object as a new object of the same segment.

The places that snapshots have stay true: they name the segment, and the new object says which ranges of it it holds.
Each unit is verified before it is decoded, by the digest that the old object's trailer has of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tasks.errors import DamagedError
from tasks.orders.repacking import RepackObject, RepackResult
from tasks.ranges import joined
from tasks.receipts import ExtentNote
from workers.devices.base import Device
from workers.devices.keys import object_key
from workers.format.header import SegmentHeader
from workers.format.reader import SegmentReader
from workers.format.writer import SegmentWriter
from workers.progress import ByteCounter
from workers.segments.kept_parts import KeptPart, extents_of, kept_parts, notes_of
from workers.segments.stored import StoredSegment, find_whole_segment, read_back
from workers.sources.content import ContentDigests
from workers.units.buffers import UnitBuffers
from workers.units.units import units_of


def repack_object(
    order: RepackObject,
    *,
    origin: Device,
    device: Device,
    progress: ByteCounter,
    before_commit: Callable[[], None] = lambda: None,
    spare: UnitBuffers | None = None,
) -> RepackResult:
    """Put the new object on ``device``, unless it is there; the old one stays as it is.

    Raises DamagedError when the old object is missing, is not what the order says, does not hold all ranges, or cannot
    be read; DeviceError, DeviceFullError, and what ``before_commit`` raises, with nothing stored.
    """
    stored = origin.open(object_key(order.from_object_id))
    if stored is None:
        raise DamagedError(f"device {origin.name} has no object {order.from_object_id}")
    with stored:
        reader = SegmentReader(stored.read, stored.size_bytes, trailer_digest=bytes.fromhex(order.trailer_digest))
        parts = kept_parts(_checked(order, reader.header, stored.size_bytes, origin.name), order.ranges)
        header = _new_header(order, reader.header, parts)
        segment = find_whole_segment(device, object_key(order.object_id), lambda found: found == header)
        if segment is None:
            segment = _write(order, reader, parts, header, device, progress, before_commit, spare)
    return RepackResult(bytes_stored=segment.stored_bytes, trailer_digest=segment.trailer_digest.hex())


def _checked(order: RepackObject, header: SegmentHeader, stored_bytes: int, device: str) -> SegmentHeader:
    found = header.object_id, header.segment_id, stored_bytes
    if found != (order.from_object_id, order.segment_id, order.stored_bytes):
        raise DamagedError(f"object {order.from_object_id} on device {device} is not what was stored there")
    return header


def _new_header(order: RepackObject, header: SegmentHeader, parts: Sequence[KeptPart]) -> SegmentHeader:
    ranges = joined(order.ranges)
    if sum(part.size_bytes for part in parts) != sum(size_bytes for _, size_bytes in ranges):
        raise DamagedError(f"object {order.from_object_id} does not hold all that is needed of its segment")
    return replace(
        header,
        object_id=order.object_id,
        snapshot_id=order.snapshot_id,
        ranges=ranges,
        extents=extents_of(header, parts),
    )


def _write(
    order: RepackObject,
    reader: SegmentReader,
    parts: Sequence[KeptPart],
    header: SegmentHeader,
    device: Device,
    progress: ByteCounter,
    before_commit: Callable[[], None],
    spare: UnitBuffers | None,
) -> StoredSegment:
    notes = notes_of(reader.trailer.notes, parts)
    stream = _KeptStream(reader, parts, ContentDigests(header.extents), notes)
    key, sizes_bytes = object_key(order.object_id), header.unit_sizes_bytes()
    with device.put(key) as upload:
        with units_of(sizes_bytes, stream.fill, level=header.level, threads=order.threads, spare=spare) as units:
            writer = SegmentWriter(header, upload.write)
            for unit in units:
                writer.add_unit(unit.frame, unit.size_bytes, unit.digest)
                progress.add(unit.size_bytes)
        stored_bytes = writer.finish(
            notes=notes,
            file_state=reader.trailer.file_state,
            extent_digests=bytes(stream.digests.extents),
            cell_digests=bytes(stream.digests.cells),
        )
        before_commit()
        upload.commit()
    return read_back(device, key, header, stored_bytes, writer.trailer_digest)


class _KeptStream:
    """The kept parts of an object, one after the other; for one thread at a time.  One decoded unit is in memory."""

    def __init__(
        self,
        reader: SegmentReader,
        parts: Sequence[KeptPart],
        digests: ContentDigests,
        notes: Sequence[ExtentNote],
    ) -> None:
        self.digests = digests
        self._reader = reader
        self._parts = parts
        self._read_bytes = {note.index: note.read_bytes for note in notes}
        self._starts_bytes = [unit.stream_offset_bytes for unit in reader.units]
        self._unit_number, self._unit = -1, b""
        #: The part that comes next, and how much of it has been passed on.
        self._number = self._done_bytes = 0

    def fill(self, buffer: memoryview) -> None:
        """Fill all of ``buffer``.  Raises DamagedError."""
        filled_bytes = 0
        while filled_bytes < len(buffer):
            part = self._parts[self._number]
            data = self._at(part.stream_offset_bytes + self._done_bytes)
            taken = data[: min(part.size_bytes - self._done_bytes, len(buffer) - filled_bytes)]
            buffer[filled_bytes : filled_bytes + len(taken)] = taken
            self._count(taken, part.size_bytes)
            filled_bytes += len(taken)

    def _at(self, stream_offset_bytes: int) -> memoryview:
        """The rest of the unit that holds this byte of the object's stream."""
        number = bisect_right(self._starts_bytes, stream_offset_bytes) - 1
        if number != self._unit_number:
            self._unit_number, self._unit = number, self._reader.read_unit(number)
        return memoryview(self._unit)[stream_offset_bytes - self._starts_bytes[number] :]

    def _count(self, taken: memoryview, part_bytes: int) -> None:
        """The digest of an extent is that of the bytes that were read from its file."""
        read_bytes = self._read_bytes.get(self._number, part_bytes)
        self.digests.add(taken[: max(0, read_bytes - self._done_bytes)])
        self._done_bytes += len(taken)
        if self._done_bytes == part_bytes:
            self.digests.end_extent()
            self._number, self._done_bytes = self._number + 1, 0
