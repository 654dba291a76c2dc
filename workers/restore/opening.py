"""Opens a stored segment to restore from it, even a damaged one."""

from __future__ import annotations

from tasks.errors import DamagedError
from workers.devices.base import Device, StoredObject
from workers.devices.keys import segment_key
from workers.format.reader import SegmentReader


def open_segment(segment_id: str, device: Device) -> StoredObject:
    """Raises DamagedError when the device has none of this id, DeviceError when it cannot be read."""
    stored = device.open(segment_key(segment_id))
    if stored is None:
        raise DamagedError(f"segment {segment_id} is not on device {device.name}")
    return stored


def reader_of(stored: StoredObject, segment_id: str) -> SegmentReader:
    """Raises DamagedError when the file holds another segment, or none of its units can be located."""
    reader = SegmentReader(stored.read, stored.size_bytes, salvage=True)
    _check_identity(reader, segment_id)
    return reader


def _check_identity(reader: SegmentReader, segment_id: str) -> None:
    """A damaged header proves nothing, but the units can be verified without it."""
    try:
        found = reader.header.segment_id
    except DamagedError:
        return
    if found != segment_id:
        raise DamagedError(f"segment {segment_id}: its file holds segment {found}")
