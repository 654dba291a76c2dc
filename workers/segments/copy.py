"""Copies a stored object from one device to another, byte for byte, and verified."""

from __future__ import annotations

from collections.abc import Callable

from tasks.errors import DamagedError
from tasks.orders.copying import CopyObject, CopyResult
from workers.devices.base import Device, StoredObject
from workers.devices.keys import object_key
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader
from workers.progress import ByteCounter

#: What is read at a time; the rest is the kernel's read-ahead.
_BLOCK_BYTES = 4 * 1024 * 1024


def copy_object(
    order: CopyObject, *, origin: Device, device: Device, progress: ByteCounter, before_commit: Callable[[], None]
) -> CopyResult:
    """Put the object of ``origin`` on ``device``, unless it is there as a whole.

    Every byte is verified first; the copy reads it again, out of the page cache.  Raises DamagedError when the object
    is missing or is not what the order says, DeviceError, DeviceFullError, and what ``before_commit`` raises.
    """
    if _is_there(order, device, progress):
        return CopyResult(bytes_written=0)
    key = object_key(order.object_id)
    stored = origin.open(key)
    if stored is None:
        raise DamagedError(f"device {origin.name} has no object {order.object_id}")
    with stored, device.put(key) as upload:
        _verify(order, stored, origin.name, progress)
        for offset_bytes in range(0, stored.size_bytes, _BLOCK_BYTES):
            upload.write(stored.read(offset_bytes, _BLOCK_BYTES))
            progress.add(0)
        before_commit()
        upload.commit()
    return CopyResult(bytes_written=order.stored_bytes)


def _is_there(order: CopyObject, device: Device, progress: ByteCounter) -> bool:
    """With every byte: it may be copied because this one is damaged."""
    try:
        stored = device.open(object_key(order.object_id))
        if stored is None:
            return False
        with stored:
            reader = _reader(order, stored, progress)
            return stored.size_bytes == order.stored_bytes and not (reader.damage or reader.damaged_ranges())
    except (DamagedError, UnreadableError):
        return False


def _verify(order: CopyObject, stored: StoredObject, device: str, progress: ByteCounter) -> None:
    reader = _reader(order, stored, progress)
    if stored.size_bytes != order.stored_bytes or reader.damage or reader.header.object_id != order.object_id:
        raise DamagedError(f"object {order.object_id} on device {device} is not what was stored there")
    if reader.damaged_ranges():
        raise DamagedError(f"object {order.object_id} on device {device} is damaged")


def _reader(order: CopyObject, stored: StoredObject, progress: ByteCounter | None = None) -> SegmentReader:
    def read(offset_bytes: int, size_bytes: int) -> bytes:
        data = stored.read(offset_bytes, size_bytes)
        if progress is not None:
            progress.add(len(data))
        return data

    return SegmentReader(read, stored.size_bytes, salvage=True, trailer_digest=bytes.fromhex(order.trailer_digest))
