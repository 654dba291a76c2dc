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


def reader_of(stored: StoredObject, segment_id: str, trailer_digest: str, *, unproved: bool = False) -> SegmentReader:
    """Raises DamagedError unless the file holds what was stored: the segment whose trailer has this digest.

    Its header may be damaged, for nothing depends on it then.  With ``unproved`` the trailer may be lost as well; the
    reader's ``trailer_digest`` is None then.
    """
    try:
        reader = SegmentReader(
            stored.read, stored.size_bytes, salvage=True, trailer_digest=bytes.fromhex(trailer_digest)
        )
    except DamagedError as error:
        rest = _without_trailer(stored, segment_id) if unproved else None
        if rest is None:
            raise DamagedError(f"segment {segment_id}: {error.message}") from error
        return rest
    _check_identity(reader, segment_id)
    return reader


def _check_identity(reader: SegmentReader, segment_id: str) -> None:
    """A damaged header proves nothing, but the trailer names it by its digest."""
    try:
        found = reader.header.segment_id
    except DamagedError:
        return
    if found != segment_id:
        raise DamagedError(f"segment {segment_id}: its file holds segment {found}")


def _without_trailer(stored: StoredObject, segment_id: str) -> SegmentReader | None:
    """What is left of a segment of this id whose trailer is lost; None where another trailer is, or nothing."""
    try:
        reader = SegmentReader(stored.read, stored.size_bytes, salvage=True)
        return reader if reader.trailer_digest is None and reader.header.segment_id == segment_id else None
    except DamagedError:
        return None
