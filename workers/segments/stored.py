"""Is a segment on a device, and is it the one that was asked for?"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tasks.errors import DamagedError
from tasks.receipts import ExtentNote, FileState
from workers.devices.base import Device, StoredObject
from workers.devices.trouble import UnreadableError
from workers.format.header import SegmentHeader
from workers.format.reader import SegmentReader


class StoredSegment(Struct, frozen=True, kw_only=True):
    """A stored segment, as its trailer describes it."""

    header: SegmentHeader
    stored_bytes: int
    units_count: int
    notes: tuple[ExtentNote, ...]
    file_state: FileState | None
    trailer_digest: bytes
    extent_digests: bytes
    cell_digests: bytes


def find_whole_segment(device: Device, key: str, is_wanted: Callable[[SegmentHeader], bool]) -> StoredSegment | None:
    """The object under ``key`` if its header is wanted and every stored byte is as it was written.

    None when it is missing, damaged, different or unreadable: then it may be overwritten.
    """
    try:
        stored = device.open(key)
        if stored is None:
            return None
        with stored:
            reader = _read(stored, is_wanted)
            return None if reader.damaged_ranges() else _told(reader, stored)
    except (DamagedError, UnreadableError):
        return None


def read_back(
    device: Device, key: str, header: SegmentHeader, stored_bytes: int, trailer_digest: bytes
) -> StoredSegment:
    """Reads back the header, trailer and seek table of the segment just stored; raises DamagedError if they differ."""
    stored = device.open(key)
    if stored is None:
        raise DamagedError(f"device {device.name}: {key} is not there after it was stored")
    with stored:
        if stored.size_bytes != stored_bytes:
            raise DamagedError(f"device {device.name}: {key} has {stored.size_bytes} bytes, not {stored_bytes}")
        return _told(_read(stored, lambda found: found == header, trailer_digest), stored)


def _read(
    stored: StoredObject, is_wanted: Callable[[SegmentHeader], bool], trailer_digest: bytes | None = None
) -> SegmentReader:
    reader = SegmentReader(stored.read, stored.size_bytes, trailer_digest=trailer_digest)
    if not is_wanted(reader.header):
        raise DamagedError(f"object {reader.header.object_id}: its header is not that of the order")
    return reader


def _told(reader: SegmentReader, stored: StoredObject) -> StoredSegment:
    assert reader.trailer_digest is not None
    return StoredSegment(
        header=reader.header,
        stored_bytes=stored.size_bytes,
        units_count=len(reader.units),
        notes=reader.trailer.notes,
        file_state=reader.trailer.file_state,
        trailer_digest=reader.trailer_digest,
        extent_digests=reader.trailer.extent_digests,
        cell_digests=reader.trailer.cell_digests,
    )
