"""Verifies stored objects: their structure by a few small reads, or every stored byte."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tasks.errors import DamagedError
from tasks.orders import VerifySegments
from tasks.receipts import MAX_RANGES, SegmentFinding, VerifyResult
from workers.devices.base import Device, StoredObject
from workers.devices.keys import object_key, parity_key
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader
from workers.format.stored_bytes import StoredBytes
from workers.parity.directory import read_directory
from workers.parity.making import damaged_stripes
from workers.progress import ByteCounter, OrderProgress
from workers.segments.pace import Pace

#: How long one file may hold up the others: what it was stored with at the rate of the slowest disk, and a little.
_LEAST_TIME_S = 30
_MIN_RATE_BYTES_PER_S = 500_000

Ranges = tuple[tuple[int, int], ...]


def verify_segments(order: VerifySegments, *, device: Device, progress: OrderProgress) -> VerifyResult:
    """Check each object of ``order``; what is wrong with one is a finding, and the next ones are still checked.

    ``progress`` gets stored bytes as they are read.  Raises NotADeviceError when the device goes away.
    """
    pace = Pace(order.limit_bytes_per_s, progress.beat) if order.limit_bytes_per_s else None
    counted_bytes = _CountedBytes(progress, pace)
    findings = [_check(expected, device, counted_bytes, order) for expected in _expected(order)]
    return VerifyResult(
        segments_count=len(order.object_ids),
        bytes_read=counted_bytes.total,
        findings=tuple(finding for finding in findings if finding is not None),
    )


class _Expected(NamedTuple):
    object_id: str
    stored_bytes: int
    trailer_digest: str


def _expected(order: VerifySegments) -> Iterator[_Expected]:
    return map(_Expected, order.object_ids, order.stored_bytes, order.trailer_digests)


def _check(expected: _Expected, device: Device, counter: ByteCounter, order: VerifySegments) -> SegmentFinding | None:
    object_id = expected.object_id
    try:
        stored = device.open(parity_key(object_id) if order.of_groups else object_key(object_id))
        if stored is None:
            return _finding(object_id, "missing", f"device {device.name} has no such object")
        with stored:
            if order.only_size:
                wrong = _wrong_size(expected, stored)
                return _finding(object_id, "damaged", wrong) if wrong else None
            if order.of_groups:
                return _check_parity(expected, stored, counter, read_data=order.read_data)
            return _check_stored(expected, stored, counter, order)
    except DamagedError as error:
        return _finding(object_id, "damaged", error.message)
    except UnreadableError as error:
        return _finding(object_id, "unreadable", error.message)


def _check_parity(
    expected: _Expected, stored: StoredObject, counter: ByteCounter, *, read_data: bool
) -> SegmentFinding | None:
    def read(offset_bytes: int, size_bytes: int) -> bytes:
        data = stored.read(offset_bytes, size_bytes)
        counter.add(len(data))
        return data

    content = StoredBytes(read, stored.size_bytes)
    directory, _ = read_directory(content, bytes.fromhex(expected.trailer_digest))
    damaged_count = len(damaged_stripes(directory, content)) if read_data else 0
    if damaged_count:
        return _finding(expected.object_id, "damaged", f"{damaged_count} of its stripes are lost")
    return None


def _check_stored(
    expected: _Expected, stored: StoredObject, counter: ByteCounter, order: VerifySegments
) -> SegmentFinding | None:
    object_id, stored_bytes, trailer_digest = expected
    least_rate = min(_MIN_RATE_BYTES_PER_S, order.limit_bytes_per_s // 2 or _MIN_RATE_BYTES_PER_S)
    limit_s = _LEAST_TIME_S + stored_bytes // least_rate
    deadline_s = time.monotonic() + limit_s

    def read(offset_bytes: int, size_bytes: int) -> bytes:
        if time.monotonic() > deadline_s:
            raise DamagedError(f"it could not be read within {limit_s} s")
        data = stored.read(offset_bytes, size_bytes)
        counter.add(len(data))
        return data

    reader = SegmentReader(read, stored.size_bytes, salvage=True, trailer_digest=bytes.fromhex(trailer_digest))
    messages = [error.message for error in reader.damage]
    messages += filter(None, [_wrong_size(expected, stored)])
    if not reader.damage and reader.header.object_id != object_id:
        messages.append(f"it is object {reader.header.object_id}")
    ranges = reader.damaged_ranges() if order.read_data else ()
    if ranges:
        messages.append(f"{sum(size_bytes for _, size_bytes in ranges)} bytes of its stream are lost")
    return _finding(object_id, "damaged", "; ".join(messages), ranges) if messages else None


def _wrong_size(expected: _Expected, stored: StoredObject) -> str:
    if stored.size_bytes == expected.stored_bytes:
        return ""
    return f"it has {stored.size_bytes} bytes; {expected.stored_bytes} were stored"


def _finding(
    object_id: str, code: Literal["missing", "damaged", "unreadable"], message: str, ranges: Ranges = ()
) -> SegmentFinding:
    return SegmentFinding(object_id=object_id, code=code, message=message, ranges=_few(ranges))


def _few(ranges: Ranges) -> Ranges:
    """As one range, if they are too many for a receipt."""
    if len(ranges) <= MAX_RANGES:
        return ranges
    (first, _), (last, size_bytes) = ranges[0], ranges[-1]
    return ((first, last + size_bytes - first),)


class _CountedBytes:
    """Adds up the byte counts that it passes on, at the pace that is wanted."""

    def __init__(self, inner: ByteCounter, pace: Pace | None) -> None:
        self.total = 0
        self._inner = inner
        self._pace = pace

    def add(self, bytes_count: int) -> None:
        self.total += bytes_count
        self._inner.add(bytes_count)
        if self._pace is not None:
            self._pace.take(bytes_count)
