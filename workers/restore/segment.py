"""Carries out the order to restore extents of one segment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tasks.errors import DamagedError
from tasks.orders import RestoreSegment
from tasks.receipts import RestoreResult
from workers.devices.base import Device
from workers.format.reader import SegmentReader
from workers.progress import ByteCounter
from workers.restore.extents import ExtentWriter
from workers.restore.opening import open_segment, reader_of
from workers.restore.slices import Slice, slices_by_unit
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
            with open_segment(order.segment_id, device) as stored:
                reader = reader_of(stored, order.segment_id, order.trailer_digest, unproved=order.unproved)
                if reader.trailer_digest is None:
                    writer.doubt(remaining)
                with closing(_decoded_units(order, reader, remaining)) as units:
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
        with open_segment(order.segment_id, device):
            return writer.lose(slices, error)
    # A slow device may have taken minutes for the unit.
    before_write()
    return writer.write(slices, data)


def _decoded_units(
    order: RestoreSegment, reader: SegmentReader, chosen: list[int]
) -> Generator[tuple[Sequence[Slice], Future[bytes]]]:
    """The units that hold the extents ``chosen``, in stream order."""
    unit_offsets_bytes = [unit.stream_offset_bytes for unit in reader.units]
    located_bytes = sum(unit.size_bytes for unit in reader.units)
    needed = slices_by_unit(chosen, order.stream_offsets_bytes, order.sizes_bytes, unit_offsets_bytes, located_bytes)
    with ThreadPoolExecutor(order.threads, thread_name_prefix="decode") as pool:
        yield from _decode_ahead(reader, needed, pool, order.threads)


def _decode_ahead(
    reader: SegmentReader, needed: dict[int, list[Slice]], pool: ThreadPoolExecutor, ahead_count: int
) -> Iterator[tuple[Sequence[Slice], Future[bytes]]]:
    """The needed units in stream order, while the next ``ahead_count`` are being decoded."""
    ahead: deque[tuple[Sequence[Slice], Future[bytes]]] = deque()
    for unit, slices in needed.items():
        ahead.append((slices, pool.submit(reader.read_unit, unit)))
        if len(ahead) > ahead_count:
            yield ahead.popleft()
    yield from ahead
