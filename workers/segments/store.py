"""Stores an object of a segment: compare, read, compress, write, sync, rename, read back.

An object id names one try.  So an object that is already stored is verified instead of stored again, and an order may
arrive any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.orders import StoreSegment
from tasks.ranges import joined
from tasks.receipts import StoreResult
from workers.devices.base import Bytes, Device, Upload
from workers.devices.keys import object_key
from workers.format.header import SegmentHeader, all_of
from workers.format.writer import SegmentWriter
from workers.progress import OrderProgress, Stages
from workers.segments.reading import Reading
from workers.segments.result import Stored, store_result
from workers.segments.stored import find_whole_segment, read_back
from workers.segments.unchanged import changed_places, compare, stored_places
from workers.sources.files import SourceFiles
from workers.sources.kept_times import Views
from workers.sources.place import Place
from workers.sources.raw import RawStream
from workers.sources.stream import ExtentStream
from workers.units.buffers import UnitBuffers
from workers.units.units import units_of


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
    """Store the order's object on ``device``, unless it is there and whole.  ``source_root``: the configured source's.

    Extents whose known digest they still have are left out, and nothing is stored when all are.  When it returns, the
    object has survived a sync, and its header, trailer and seek table have been read back.  Trouble with single files
    becomes notes.  Raises SourceError when the source as a whole cannot be read, DeviceError when the device fails, and
    what ``before_commit`` raises, with nothing stored.
    ``progress`` gets source bytes as they are written or found unchanged, and beats while it waits for its turn to
    read.  ``spare`` keeps the buffers for the next segment, ``views`` what is found out about this host's views of
    sources.
    """
    stages = Stages()
    with stages.total:
        stored = _found(order, device)
        found = stored is not None
        if stored is None:
            with SourceFiles(_place(order, source_root)) as files:
                reading = Reading(order, files, views=views or Views(), progress=progress, stages=stages)
                stored = _store(order, device, reading, progress, stages, before_commit, spare)
    return store_result(order, stored, stages, found=found, free_bytes=device.capacity().free_bytes)


def header_of(order: StoreSegment, places: Sequence[int] | None = None) -> SegmentHeader:
    """The header of the object that ``order`` asks for; ``places``: the extents that it holds, if not all."""
    extents = order.extents if places is None else order.extents.at(places)
    ranges = all_of(extents.total_bytes)
    if order.heals:
        offsets_bytes = [order.stream_offsets_bytes[place] for place in places or range(len(extents))]
        ranges = joined(zip(offsets_bytes, extents.sizes_bytes, strict=True))
    return SegmentHeader(
        segment_id=order.segment_id,
        object_id=order.object_id,
        ranges=ranges,
        snapshot_id=order.snapshot_id,
        volume=order.volume,
        number=order.number,
        source=order.source,
        extents=extents,
        threshold_bytes=order.threshold_bytes,
        unit_bytes=order.unit_bytes,
        block_bytes=order.block_bytes,
        level=order.level,
    )


def _found(order: StoreSegment, device: Device) -> Stored | None:
    """What an earlier delivery has stored: that decides, even if more extents are unchanged by now, or fewer."""
    wanted = header_of(order)
    segment = find_whole_segment(
        device,
        object_key(order.object_id),
        lambda header: stored_places(order, wanted, header) is not None,
    )
    if segment is None:
        return None
    places = stored_places(order, wanted, segment.header)
    assert places is not None
    return Stored(places=places, segment=segment, file_state=segment.file_state)


def _store(
    order: StoreSegment,
    device: Device,
    reading: Reading,
    progress: OrderProgress,
    stages: Stages,
    before_commit: Callable[[], None],
    spare: UnitBuffers | None,
) -> Stored:
    if order.heals:
        return _heal(order, device, reading, progress, stages, before_commit, spare)
    compared = compare(order, reading.stream, reading.fill)
    progress.add(sum(order.extents.sizes_bytes[place] for place in compared.places))
    unchanged = frozenset(compared.places)
    places = [place for place in range(len(order.extents)) if place not in unchanged]
    if unchanged and not places:
        before_commit()
        return Stored(places=places, segment=None, file_state=compared.file_state)
    key, header = object_key(order.object_id), header_of(order, places)
    with device.put(key) as upload:
        stream = reading.stream(places, compared.file_state)
        stored_bytes, trailer_digest = _write(order, header, stream, reading, upload, progress, stages, spare)
        before_commit()
        with stages.sync:
            upload.commit()
    segment = read_back(device, key, header, stored_bytes, trailer_digest)
    return Stored(places=places, segment=segment, file_state=segment.file_state)


def _heal(
    order: StoreSegment,
    device: Device,
    reading: Reading,
    progress: OrderProgress,
    stages: Stages,
    before_commit: Callable[[], None],
    spare: UnitBuffers | None,
) -> Stored:
    """Store the extents that have their digests, as they are read.

    When some turn out not to have them, what was written is dropped, and the others are read once more.
    """
    key, places = object_key(order.object_id), list(range(len(order.extents)))
    while places:
        header = header_of(order, places)
        with device.put(key) as upload:
            stream = reading.stream(places)
            stored_bytes, trailer_digest = _write(order, header, stream, reading, upload, progress, stages, spare)
            changed = changed_places(order, places, stream.notes, bytes(stream.digests.extents))
            if not changed:
                before_commit()
                with stages.sync:
                    upload.commit()
                segment = read_back(device, key, header, stored_bytes, trailer_digest)
                return Stored(places=places, segment=segment, file_state=segment.file_state)
        places = [place for place in places if place not in changed]
    before_commit()
    return Stored(places=[], segment=None, file_state=None)


def _write(
    order: StoreSegment,
    header: SegmentHeader,
    stream: ExtentStream | RawStream,
    reading: Reading,
    upload: Upload,
    progress: OrderProgress,
    stages: Stages,
    spare: UnitBuffers | None,
) -> tuple[int, bytes]:
    """Write the whole segment; returns its stored size and its trailer's digest.

    Reads and compresses on threads of the pipeline.
    """

    def write(buffer: Bytes) -> None:
        with stages.write:
            upload.write(buffer)

    with stream:
        sizes_bytes = header.unit_sizes_bytes()
        with units_of(
            sizes_bytes,
            lambda buffer: reading.fill(stream, buffer),
            level=order.level,
            threads=order.threads,
            spare=spare,
        ) as units:
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


def _place(order: StoreSegment, source_root: Path) -> Place:
    return Place(order.source, source_root, order.within.path if order.within is not None else "")
