"""Stores a segment: read, compress, write, sync, rename, read back.

A segment id names one content.  So a segment that is already stored is verified instead of stored again, and an order
may arrive any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from tasks.orders import StoreSegment
from tasks.receipts import StoreResult
from tasks.states import unpack_states
from workers.devices.base import Bytes, Device, Upload
from workers.devices.keys import segment_key
from workers.disks.turns import turns_at
from workers.format.header import SegmentHeader
from workers.format.writer import SegmentWriter
from workers.progress import OrderProgress, Stages
from workers.segments.stored import StoredSegment, find_whole_segment, read_back
from workers.sources.direct import open_reader
from workers.sources.files import SourceFiles
from workers.sources.in_turns import read_in_turns
from workers.sources.kept_times import Views
from workers.sources.place import Place
from workers.sources.raw import RawStream
from workers.sources.stream import ExtentStream
from workers.units.buffers import UnitBuffers
from workers.units.pipeline import CompressedUnit, UnitPipeline
from workers.units.small import MAX_BYTES, SmallUnit


def store_segment(
    order: StoreSegment,
    *,
    device: Device,
    source_root: Path,
    progress: OrderProgress,
    before_commit: Callable[[], None] = lambda: None,
    spare: UnitBuffers | None = None,
    views: Views | None = None,
) -> StoreResult:
    """Store the order's segment on ``device``, unless it is there and whole.  ``source_root``: the configured source's.

    When it returns, the segment has survived a sync, and its header, trailer and seek table have been read
    back.  Trouble with single files becomes notes.  Raises SourceError when the source as a whole cannot be
    read, DeviceError when the device fails, and what ``before_commit`` raises, with nothing stored.
    ``progress`` gets source bytes as they are written, and beats while it waits for its turn to read.
    ``spare`` keeps the buffers for the next segment, ``views`` what is found out about this host's views of sources.
    """
    header, key, stages = header_of(order), segment_key(order.order_id), Stages()
    with stages.total:
        segment = find_whole_segment(device, key, header, _known_digest(order))
        found = segment is not None
        if segment is None:
            with SourceFiles(_place(order, source_root)) as files, device.put(key) as upload:
                stored_bytes, trailer_digest = _write(
                    order, header, _stream(order, files, views or Views()), files, upload, progress, stages, spare
                )
                before_commit()
                with stages.sync:
                    upload.commit()
            segment = read_back(device, key, header, stored_bytes, trailer_digest)
    return _result(header, segment, stages, found=found, free_bytes=device.capacity().free_bytes)


def header_of(order: StoreSegment) -> SegmentHeader:
    """The header of the segment that ``order`` asks for."""
    return SegmentHeader(
        segment_id=order.order_id,
        snapshot_id=order.snapshot_id,
        volume=order.volume,
        device_id=order.device_id,
        number=order.number,
        source=order.source,
        extents=order.extents,
        threshold_bytes=order.threshold_bytes,
        unit_bytes=order.unit_bytes,
        block_bytes=order.block_bytes,
        level=order.level,
    )


def _known_digest(order: StoreSegment) -> bytes | None:
    return None if order.trailer_digest is None else bytes.fromhex(order.trailer_digest)


def _write(
    order: StoreSegment,
    header: SegmentHeader,
    stream: ExtentStream | RawStream,
    files: SourceFiles,
    upload: Upload,
    progress: OrderProgress,
    stages: Stages,
    spare: UnitBuffers | None,
) -> tuple[int, bytes]:
    """Write the whole segment; returns its stored size and its trailer's digest.

    Reads and compresses on threads of the pipeline.
    """
    turns = turns_at(files.place.fd, "read", order.readers)

    def fill(buffer: memoryview) -> None:
        with stages.read:
            read_in_turns(stream.fill, buffer, turns=turns, beat=progress.beat)

    def write(buffer: Bytes) -> None:
        with stages.write:
            upload.write(buffer)

    with stream:
        with _units(order, header, fill, spare) as units:
            # Encoding the header of a large bundle takes 10 ms: meanwhile the pipeline reads.
            writer = SegmentWriter(header, write)
            for unit in units:
                writer.add_unit(unit.frame, unit.size_bytes, unit.digest)
                stages.compress_s += unit.compress_s
                progress.add(unit.size_bytes)
        stored_bytes = writer.finish(
            notes=tuple(stream.notes),
            file_state=stream.file_state,
            extent_digests=bytes(stream.digests.extents),
            cell_digests=bytes(stream.digests.cells),
        )
        return stored_bytes, writer.trailer_digest


def _units(
    order: StoreSegment, header: SegmentHeader, fill: Callable[[memoryview], object], spare: UnitBuffers | None
) -> AbstractContextManager[Iterable[CompressedUnit]]:
    sizes_bytes = header.unit_sizes_bytes()
    if len(sizes_bytes) == 1 and sizes_bytes[0] <= MAX_BYTES:
        return SmallUnit(sizes_bytes[0], fill, level=order.level)
    return UnitPipeline(sizes_bytes, fill, level=order.level, threads=order.threads, spare=spare)


def _place(order: StoreSegment, source_root: Path) -> Place:
    return Place(order.source, source_root, order.within.path if order.within is not None else "")


def _stream(order: StoreSegment, files: SourceFiles, views: Views) -> ExtentStream | RawStream:
    if order.raw is None:
        states = unpack_states(order.states, len(order.extents))
        kept_times = views.kept_times(order.view, files, order.extents, states)
        return ExtentStream(
            files, order.extents, states, kept_times=kept_times, is_piece=order.is_piece, sparse=order.sparse
        )
    return RawStream(order, open_reader(files.place, mark=order.raw.mark), where=files.place.where)


def _result(
    header: SegmentHeader, segment: StoredSegment, stages: Stages, *, found: bool, free_bytes: int
) -> StoreResult:
    return StoreResult(
        bytes_source=header.stream_bytes,
        bytes_stored=segment.stored_bytes,
        units_count=segment.units_count,
        notes=segment.notes,
        file_state=segment.file_state,
        found=found,
        free_bytes=free_bytes,
        timing=stages.timing(),
        trailer_digest=segment.trailer_digest.hex(),
        extent_digests=segment.extent_digests,
        cell_digests=segment.cell_digests,
    )
