"""Which snapshot stored an object: what its header says."""

from __future__ import annotations

from tasks.errors import DamagedError, DeviceError
from tasks.orders.cleaning import ExamineObjects, OriginsResult
from workers.devices.base import Device
from workers.devices.keys import object_key
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader


def examine_objects(order: ExamineObjects, *, device: Device) -> OriginsResult:
    """The snapshot and the size of each object.  Raises DeviceError when the device goes away."""
    found = [_origin(device, object_id) for object_id in order.object_ids]
    return OriginsResult(
        snapshot_ids=tuple(snapshot_id for snapshot_id, _ in found),
        bytes_stored=tuple(size_bytes for _, size_bytes in found),
    )


def _origin(device: Device, object_id: str) -> tuple[str, int]:
    try:
        stored = device.open(object_key(object_id))
    except UnreadableError:
        return "", 0
    if stored is None:
        return "", 0
    with stored:
        try:
            header = SegmentReader(stored.read, stored.size_bytes).header
        except (DamagedError, UnreadableError):
            return "", stored.size_bytes
        except DeviceError:
            # Of a later format: not ours to judge.
            return "", stored.size_bytes
    # A whole one under another name is not what the name says.
    return (header.snapshot_id if header.object_id == object_id else "", stored.size_bytes)
