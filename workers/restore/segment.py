"""Carries out the order to restore extents of one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from tasks.errors import DamagedError
from tasks.orders import RestoreSegment
from tasks.receipts import RestoreResult
from workers.devices.base import Device
from workers.progress import ByteCounter
from workers.restore.extents import ExtentWriter
from workers.restore.known_content import KnownContent
from workers.restore.opening import open_object, reader_of
from workers.restore.reusing import reuse_older
from workers.restore.slices import Done, Slice
from workers.restore.units_ahead import decoded_units
from workers.target.folders import Folders
from workers.target.image import ImageTarget, is_image_target


def restore_segment(
    order: RestoreSegment,
    *,
    device: Device,
    target_root: Path,
    progress: ByteCounter,
    before_write: Callable[[], None] = lambda: None,
) -> RestoreResult:
    """Write the order's extents below ``target_root``, which exists.

    Needs only the units that hold the extents, and the parts that say where they are; each unit is decoded once,
    ``order.threads`` at a time.  Holds up to ``order.threads`` + 2 decoded units in memory.  Repeated calls, even at
    the same time, lead to the same files.  The result lists what is damaged or cannot be written; everything else is
    restored.  Raises TargetError when the target takes no more, DeviceError
    when the device cannot be read, DamagedError when the segment is missing or not the one that was
    stored; and what ``before_write``, which is called for each unit, raises.
    """
    target = ImageTarget(target_root) if is_image_target(target_root) else Folders(target_root)
    with target, closing(ExtentWriter(order, target)) as writer:
        chosen = writer.choose()
        if chosen:
            remaining = writer.make_empty(chosen)
            with open_object(order.object_id, device) as stored:
                reader = reader_of(stored, order.object_id, order.trailer_digest, unproved=order.unproved)
                if reader.trailer_digest is None:
                    writer.doubt(remaining)
                done: Done = {}
                if order.reuse and isinstance(target, Folders):
                    known = KnownContent(reader)
                    done = reuse_older(order, remaining, writer, target, known, progress, before_write)
                with closing(decoded_units(order, reader, remaining, done)) as units:
                    for slices, decoded in units:
                        progress.add(_write_unit(order, device, writer, slices, decoded, before_write))
        return writer.result()


def _write_unit(
    order: RestoreSegment,
    device: Device,
    writer: ExtentWriter,
    slices: Sequence[Slice],
    decoded: Future[bytes],
    before_write: Callable[[], None],
) -> int:
    try:
        data = decoded.result()
    except DamagedError as error:
        # A bad sector costs only its unit.  When the device is gone, opening fails too, and the order with it.
        with open_object(order.object_id, device):
            return writer.lose(slices, error)
    # A slow device may have taken minutes for the unit.
    before_write()
    return writer.write(slices, data)
