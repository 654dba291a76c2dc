"""What stored objects hold, from their headers and trailers; enough to make an index again."""

from __future__ import annotations

from collections.abc import Sequence

from blake3 import blake3

from tasks.errors import DamagedError, DeviceError
from tasks.orders.cleaning import ContentsResult, DescribeObjects, ObjectContent, ObjectOrigin
from tasks.receipts import MAX_RANGES, UNREAD, ExtentNote
from workers.devices.base import Device, StoredObject
from workers.devices.keys import object_key
from workers.devices.trouble import UnreadableError
from workers.format.header import SegmentHeader
from workers.format.reader import SegmentReader


def describe_objects(order: DescribeObjects, *, device: Device) -> ContentsResult:
    """Leaves out what is damaged, of a later format, or no segment.  Raises DeviceError when the device goes away."""
    found = (_content(device, object_id, with_origin=order.with_origin) for object_id in order.object_ids)
    return ContentsResult(contents=tuple(one for one in found if one is not None))


def _content(device: Device, object_id: str, *, with_origin: bool) -> ObjectContent | None:
    try:
        stored = device.open(object_key(object_id))
    except UnreadableError:
        return None
    if stored is None:
        return None
    with stored:
        try:
            return _described(object_id, stored, with_origin=with_origin)
        except DeviceError as error:
            if not isinstance(error, DamagedError | UnreadableError):
                # Raises if it is the device that is gone.
                device.capacity()
            return None


def _described(object_id: str, stored: StoredObject, *, with_origin: bool) -> ObjectContent | None:
    reader = SegmentReader(stored.read, stored.size_bytes)
    header, trailer, digest = reader.header, reader.trailer, reader.trailer_digest
    # A whole object under another name is not the object of that name.
    if header.object_id != object_id or digest is None or len(header.ranges) > MAX_RANGES:
        return None
    return ObjectContent(
        object_id=object_id,
        segment_id=header.segment_id,
        snapshot_id=header.snapshot_id,
        ranges=header.ranges,
        bytes_stored=stored.size_bytes,
        trailer_digest=digest.hex(),
        content_digest=blake3(trailer.extent_digests + trailer.cell_digests).hexdigest(),
        origin=_origin(header, trailer.notes) if with_origin else None,
    )


def _origin(header: SegmentHeader, notes: Sequence[ExtentNote]) -> ObjectOrigin:
    return ObjectOrigin(
        volume=header.volume,
        source=header.source,
        number=header.number,
        extents=header.extents,
        unread=tuple(note.index for note in notes if note.trouble in UNREAD),
    )
