"""Finds the parts of a stored segment, whole or damaged.

The parts prove each other: header and trailer carry digests, the trailer repeats what the seek table says
and names the header, the header says how long each unit must be.  So one damaged part is
named, and the others tell what it said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from tasks.errors import DamagedError
from workers.format.envelope import HEADER, TRAILER, Envelope, read_envelope
from workers.format.header import SegmentHeader, decode_header
from workers.format.scan import Scan, scan_frames
from workers.format.seek_table import Frame, encode_seek_table, read_seek_table
from workers.format.stored_bytes import StoredBytes
from workers.format.trailer import SegmentTrailer, decode_trailer, has_digests_of

T = TypeVar("T")


class SegmentParts(Struct, frozen=True, kw_only=True):
    """What was found.  ``units_offset_bytes`` is where the first unit begins.

    A part that is None is damaged; ``damage`` says how, one error for each damaged part, worst first.
    """

    header: SegmentHeader | None
    trailer: SegmentTrailer | None
    trailer_digest: bytes | None
    units_offset_bytes: int
    units: tuple[Frame, ...]
    damage: tuple[DamagedError, ...]


def find_parts(stored: StoredBytes) -> SegmentParts:
    """Find the parts with a few small reads; units themselves are not looked at.

    Raises DamagedError when nothing proves where the units are, and DeviceError when the segment is of a
    format that this version does not read.
    """
    damage: list[DamagedError] = []
    header = _attempt(damage, lambda: read_header(stored))
    table = _attempt(damage, lambda: _read_table(stored, header))
    if table is None:
        return _parts_by_scan(stored, header, damage)
    trailer_offset = sum(frame.stored_bytes for frame in table[:-1])
    trailer = _attempt(damage, lambda: _read_trailer(stored, trailer_offset, table[0].stored_bytes, header))
    units = table[1:-1]
    if trailer is not None and units != units_of(trailer.value):
        damage.append(DamagedError("seek table: it does not say what the trailer says"))
        units = units_of(trailer.value)
    return _parts(header, trailer, table[0].stored_bytes, units, damage)


def _parts_by_scan(stored: StoredBytes, header: _Header | None, damage: list[DamagedError]) -> SegmentParts:
    """The segment without its seek table; the last of ``damage`` is replaced by what the scan finds out."""
    scan = scan_frames(stored)
    trailer = None
    damage.pop()
    if scan.trailer is None:
        damage.append(DamagedError(f"seek table: it is lost; {scan.stop}"))
    else:
        damage.append(explain_end(stored, scan, scan.trailer))
        trailer_offset = scan.header.stored_bytes + sum(unit.stored_bytes for unit in scan.units)
        trailer = _attempt(damage, lambda: _read_trailer(stored, trailer_offset, scan.header.stored_bytes, header))
    units = scan.units if trailer is None else units_of(trailer.value)
    return _parts(header, trailer, scan.header.stored_bytes, units, damage)


def _parts(
    header: _Header | None,
    trailer: _Trailer | None,
    units_offset_bytes: int,
    units: tuple[Frame, ...],
    damage: list[DamagedError],
) -> SegmentParts:
    if header is not None:
        sizes_bytes: Sequence[int] = header.value.unit_sizes_bytes()
    elif trailer is not None:
        sizes_bytes = trailer.value.unit_sizes_bytes
    else:
        # One flipped size would shift all that follows: right bytes in a wrong place are wrong data.
        raise DamagedError(f"{damage[0].message}; nor is there a trailer that says where its units belong")
    return SegmentParts(
        header=header.value if header else None,
        trailer=trailer.value if trailer else None,
        trailer_digest=trailer.envelope.digest if trailer else None,
        units_offset_bytes=units_offset_bytes,
        units=tuple(
            Frame(stored_bytes=unit.stored_bytes, size_bytes=size_bytes)
            for unit, size_bytes in zip(units, sizes_bytes, strict=False)
        ),
        damage=tuple(damage),
    )


class _Header(Struct, frozen=True, kw_only=True):
    value: SegmentHeader
    envelope: Envelope


class _Trailer(Struct, frozen=True, kw_only=True):
    value: SegmentTrailer
    envelope: Envelope


def read_header(stored: StoredBytes, digest: bytes | None = None) -> _Header:
    """The header, and its envelope; raises DamagedError, also when it is not the one of this ``digest``."""
    envelope = read_envelope(HEADER, stored, 0, digest=digest)
    return _Header(value=decode_header(envelope), envelope=envelope)


def _read_table(stored: StoredBytes, header: _Header | None) -> tuple[Frame, ...]:
    table = read_seek_table(stored)
    if header is not None and table[0].stored_bytes != header.envelope.stored_bytes:
        raise DamagedError("seek table: it does not know the length of the header")
    if header is not None and [unit.size_bytes for unit in table[1:-1]] != header.value.unit_sizes_bytes():
        raise DamagedError("seek table: its units are not those that the header promises")
    return table


def _read_trailer(stored: StoredBytes, offset_bytes: int, units_offset_bytes: int, header: _Header | None) -> _Trailer:
    envelope = read_envelope(TRAILER, stored, offset_bytes)
    trailer = decode_trailer(envelope)
    if units_offset_bytes + sum(trailer.unit_stored_bytes) != offset_bytes:
        raise DamagedError("trailer: it is not where its units end")
    if header is not None and trailer.header_digest != header.envelope.digest:
        raise DamagedError("trailer: it belongs to another header")
    if header is not None and list(trailer.unit_sizes_bytes) != header.value.unit_sizes_bytes():
        raise DamagedError("trailer: its units are not those that the header promises")
    if header is not None and not has_digests_of(header.value.extents, trailer.extent_digests, trailer.cell_digests):
        raise DamagedError("trailer: its digests are not those of the extents that the header names")
    return _Trailer(value=trailer, envelope=envelope)


def units_of(trailer: SegmentTrailer) -> tuple[Frame, ...]:
    """The frames of the units, as the trailer says."""
    return tuple(
        Frame(stored_bytes=stored_bytes, size_bytes=size_bytes)
        for stored_bytes, size_bytes in zip(trailer.unit_stored_bytes, trailer.unit_sizes_bytes, strict=True)
    )


def explain_end(stored: StoredBytes, scan: Scan, trailer: Frame) -> DamagedError:
    """What is wrong behind the trailer, where nothing but the seek table must be."""
    frames = (scan.header, *scan.units, trailer)
    expected = encode_seek_table(frames)
    end_bytes = sum(frame.stored_bytes for frame in frames)
    try:
        found = stored.read(end_bytes, min(len(expected), stored.size_bytes - end_bytes))
    except DamagedError as error:
        return DamagedError(f"seek table: {error.message}")
    extra_bytes = stored.size_bytes - end_bytes - len(expected)
    if found == expected and extra_bytes > 0:
        return DamagedError(f"end: {extra_bytes} bytes of something else follow the seek table")
    if expected.startswith(found):
        return DamagedError(f"seek table: the file ends after {len(found)} of its {len(expected)} bytes")
    return DamagedError("seek table: it does not say what the frames say")


def _attempt(damage: list[DamagedError], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except DamagedError as error:
        damage.append(error)
        return None
