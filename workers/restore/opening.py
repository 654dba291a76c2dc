"""Opens a stored object to restore from it, even a damaged one."""

from __future__ import annotations

from tasks.errors import DamagedError
from workers.devices.base import Device, StoredObject
from workers.devices.keys import object_key
from workers.format.reader import SegmentReader


def open_object(object_id: str, device: Device) -> StoredObject:
    """Raises DamagedError when the device has none of this id, DeviceError when it cannot be read."""
    stored = device.open(object_key(object_id))
    if stored is None:
        raise DamagedError(f"object {object_id} is not on device {device.name}")
    return stored


def reader_of(stored: StoredObject, object_id: str, trailer_digest: str, *, unproved: bool = False) -> SegmentReader:
    """Raises DamagedError unless the file holds what was stored: the object whose trailer has this digest.

    Its header may be damaged, for nothing depends on it then.  With ``unproved`` the trailer may be lost as well; the
    reader's ``trailer_digest`` is None then.
    """
    try:
        reader = SegmentReader(
            stored.read, stored.size_bytes, salvage=True, trailer_digest=bytes.fromhex(trailer_digest)
        )
    except DamagedError as error:
        rest = _without_trailer(stored, object_id) if unproved else None
        if rest is None:
            raise DamagedError(f"object {object_id}: {error.message}") from error
        return rest
    _check_identity(reader, object_id)
    return reader


def _check_identity(reader: SegmentReader, object_id: str) -> None:
    """A damaged header proves nothing, but the trailer names it by its digest."""
    try:
        found = reader.header.object_id
    except DamagedError:
        return
    if found != object_id:
        raise DamagedError(f"object {object_id}: its file holds object {found}")


def _without_trailer(stored: StoredObject, object_id: str) -> SegmentReader | None:
    """What is left of an object of this id whose trailer is lost; None where another trailer is, or nothing."""
    try:
        reader = SegmentReader(stored.read, stored.size_bytes, salvage=True)
        return reader if reader.trailer_digest is None and reader.header.object_id == object_id else None
    except DamagedError:
        return None
