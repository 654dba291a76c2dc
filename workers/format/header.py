"""The header: which extents an object holds, of which segment, and how it was made."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tasks.errors import DamagedError
from tasks.orders import Level
from tasks.values import MAX_EXTENTS, MAX_UNITS_COUNT, Count, Extents, HexId, SourceName, UnitBytes
from workers.format.envelope import HEADER, Envelope, encode_envelope


class SegmentHeader(Struct, frozen=True, kw_only=True):
    """Known before the first byte is read; the fields mean what they mean in :class:`tasks.orders.StoreSegment`.

    The stream of the object is its extents, one after the other, each as long as stated here.  It is made of ``ranges``
    of the segment's stream, (offset, size) each: nearly always one range, which is all of it.
    """

    segment_id: HexId
    object_id: HexId
    ranges: Annotated[tuple[tuple[Count, Count], ...], Meta(max_length=MAX_EXTENTS)]
    snapshot_id: HexId
    volume: SourceName
    number: Count
    source: SourceName
    extents: Extents
    threshold_bytes: Count
    unit_bytes: UnitBytes
    block_bytes: Annotated[int, Meta(ge=512, le=1024 * 1024)]
    level: Level

    def __post_init__(self) -> None:
        if self.unit_bytes % self.block_bytes:
            raise ValueError("unit_bytes is not a multiple of block_bytes")
        check_ranges(self.ranges, self.extents.total_bytes)
        if self.units_count > MAX_UNITS_COUNT:
            raise ValueError(f"{self.units_count} units; a segment has at most {MAX_UNITS_COUNT}")

    @property
    def stream_bytes(self) -> int:
        return self.extents.total_bytes

    @property
    def units_count(self) -> int:
        return -(-self.stream_bytes // self.unit_bytes)

    def unit_sizes_bytes(self) -> list[int]:
        """The sizes of the units: all ``unit_bytes`` long but the last, which has what remains."""
        whole_count, rest_bytes = divmod(self.stream_bytes, self.unit_bytes)
        return [self.unit_bytes] * whole_count + [rest_bytes] * bool(rest_bytes)


def all_of(size_bytes: int) -> tuple[tuple[int, int], ...]:
    """The ranges of an object that holds all of its segment."""
    return ((0, size_bytes),) if size_bytes else ()


def check_ranges(ranges: tuple[tuple[int, int], ...], stream_bytes: int) -> None:
    """Raises ValueError unless the ranges ascend, are apart, and together as long as the stream."""
    stop_bytes = -1
    for offset_bytes, size_bytes in ranges:
        if offset_bytes <= stop_bytes or not size_bytes:
            raise ValueError("the ranges of an object do not ascend, or one is empty")
        stop_bytes = offset_bytes + size_bytes
    if sum(size_bytes for _, size_bytes in ranges) != stream_bytes:
        raise ValueError("the ranges of an object are not as long as its extents")


def encode_header(header: SegmentHeader) -> bytes:
    """The header frame; raises ValueError when a reader would not accept it."""
    content = msgspec.to_builtins(header)
    try:
        same = msgspec.convert(content, SegmentHeader) == header
    except msgspec.ValidationError as error:
        raise ValueError(f"not a valid header: {error}") from error
    if not same:
        raise ValueError("the header does not survive its own encoding")
    return encode_envelope(HEADER, content)


def decode_header(envelope: Envelope) -> SegmentHeader:
    """The header in ``envelope``; unknown keys are ignored; raises DamagedError when it does not validate."""
    try:
        return msgspec.convert(envelope.content, SegmentHeader)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise DamagedError(f"header: {error}") from error
