"""Decodes the units that hold some extents of a segment, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tasks.orders import RestoreSegment
from workers.format.reader import SegmentReader
from workers.restore.slices import Done, Slice, left_to_do, slices_by_unit


def decoded_units(
    order: RestoreSegment, reader: SegmentReader, chosen: list[int], done: Done | None = None
) -> Generator[tuple[Sequence[Slice], Future[bytes]]]:
    """The units that hold what is not ``done`` of the extents ``chosen``, in stream order."""
    unit_offsets_bytes = [unit.stream_offset_bytes for unit in reader.units]
    located_bytes = sum(unit.size_bytes for unit in reader.units)
    needed = slices_by_unit(chosen, order.stream_offsets_bytes, order.sizes_bytes, unit_offsets_bytes, located_bytes)
    with ThreadPoolExecutor(order.threads, thread_name_prefix="decode") as pool:
        yield from _decode_ahead(reader, left_to_do(needed, done or {}), pool, order.threads)


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
