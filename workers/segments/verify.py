"""Verifies stored segments: their structure by a few small reads, or every stored byte."""

from __future__ import annotations

from typing import Literal

from tasks.errors import DamagedError
from tasks.orders import VerifySegments
from tasks.receipts import SegmentFinding, VerifyResult
from workers.devices.base import Device, StoredObject
from workers.devices.keys import segment_key
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader
from workers.progress import ByteCounter

Ranges = tuple[tuple[int, int], ...]


def verify_segments(order: VerifySegments, *, device: Device, progress: ByteCounter) -> VerifyResult:
    """Check each segment of ``order``; what is wrong with one is a finding, and the next ones are still checked.

    ``progress`` gets stored bytes as they are read.  Raises NotADeviceError when the device goes away.
    """
    counted_bytes = _CountedBytes(progress)
    findings = [
        _check(segment_id, stored_bytes, device, counted_bytes, read_data=order.read_data)
        for segment_id, stored_bytes in zip(order.segment_ids, order.stored_bytes, strict=True)
    ]
    return VerifyResult(
        segments_count=len(order.segment_ids),
        bytes_read=counted_bytes.total,
        findings=tuple(finding for finding in findings if finding is not None),
    )


def _check(
    segment_id: str, stored_bytes: int, device: Device, counter: ByteCounter, *, read_data: bool
) -> SegmentFinding | None:
    try:
        stored = device.open(segment_key(segment_id))
        if stored is None:
            return _finding(segment_id, "missing", f"device {device.name} has no such segment")
        with stored:
            return _check_stored(segment_id, stored_bytes, stored, counter, read_data=read_data)
    except DamagedError as error:
        return _finding(segment_id, "damaged", error.message)
    except UnreadableError as error:
        return _finding(segment_id, "unreadable", error.message)


def _check_stored(
    segment_id: str, stored_bytes: int, stored: StoredObject, counter: ByteCounter, *, read_data: bool
) -> SegmentFinding | None:
    def read(offset_bytes: int, size_bytes: int) -> bytes:
        data = stored.read(offset_bytes, size_bytes)
        counter.add(len(data))
        return data

    reader = SegmentReader(read, stored.size_bytes, salvage=True)
    messages = [error.message for error in reader.damage]
    if stored.size_bytes != stored_bytes:
        messages.append(f"it has {stored.size_bytes} bytes; {stored_bytes} were stored")
    if not reader.damage and reader.header.segment_id != segment_id:
        messages.append(f"it is segment {reader.header.segment_id}")
    ranges = reader.damaged_ranges() if read_data else ()
    if ranges:
        messages.append(f"{sum(size_bytes for _, size_bytes in ranges)} bytes of its stream are lost")
    return _finding(segment_id, "damaged", "; ".join(messages), ranges) if messages else None


def _finding(
    segment_id: str, code: Literal["missing", "damaged", "unreadable"], message: str, ranges: Ranges = ()
) -> SegmentFinding:
    return SegmentFinding(segment_id=segment_id, code=code, message=message, ranges=ranges)


class _CountedBytes:
    """Adds up the byte counts that it passes on."""

    def __init__(self, inner: ByteCounter) -> None:
        self.total = 0
        self._inner = inner

    def add(self, bytes_count: int) -> None:
        self.total += bytes_count
        self._inner.add(bytes_count)
