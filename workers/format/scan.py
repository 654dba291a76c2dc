"""Finds the frames of a segment from the front, when its seek table is lost."""

from __future__ import annotations

from msgspec import Struct

from tasks.errors import DamagedError
from tasks.values import MAX_UNIT_BYTES, MAX_UNITS_COUNT
from workers.format import layout
from workers.format.seek_table import Frame
from workers.format.stored_bytes import StoredBytes
from workers.units.compress import MAX_FRAME_HEADER_BYTES, read_frame_header

_BLOCK_HEADER_BYTES = 3
_CHECKSUM_BYTES = 4
_RLE_BLOCK, _RESERVED_BLOCK = 1, 3
_MAX_BLOCK_BYTES = 128 * 1024

#: zstd splits a block of 128 KiB into 196 at most.
_LEAST_BLOCK_BYTES = 512
_LEAST_BLOCKS_COUNT = 16


class Scan(Struct, frozen=True, kw_only=True):
    """The frames in front of what could not be followed: header, units, and the trailer if it was reached.

    ``stop`` says why the scan ended; it is "" when a trailer was reached.
    """

    header: Frame
    units: tuple[Frame, ...]
    trailer: Frame | None
    stop: str


def scan_frames(stored: StoredBytes) -> Scan:
    """Walk over the frames by the lengths in them.  Reads only a little of each, and decompresses nothing.

    Raises DamagedError when even the header cannot be stepped over.
    """
    header = _header(stored)
    units: list[Frame] = []
    trailer, stop = None, ""
    offset_bytes = header.stored_bytes
    while not stop and trailer is None:
        try:
            if len(units) > MAX_UNITS_COUNT:
                raise DamagedError("it has more units than a segment can have")
            trailer = _skippable(stored, offset_bytes, layout.TRAILER_FRAME_MAGIC)
            if trailer is None:
                units.append(_unit(stored, offset_bytes))
                offset_bytes += units[-1].stored_bytes
        except DamagedError as error:
            stop = f"after {len(units)} whole units: {error.message}"
    return Scan(header=header, units=tuple(units), trailer=trailer, stop=stop)


def _header(stored: StoredBytes) -> Frame:
    try:
        header = _skippable(stored, 0, layout.HEADER_FRAME_MAGIC)
    except DamagedError as error:
        raise DamagedError(f"header: {error.message}") from error
    if header is None:
        raise DamagedError("header: no segment begins here, and there is no seek table to find its units by")
    return header


def _skippable(stored: StoredBytes, offset_bytes: int, magic: int) -> Frame | None:
    """The skippable frame at ``offset_bytes`` if there is one with ``magic``."""
    start = stored.read_small(offset_bytes, layout.FRAME_START.size)
    found, content_bytes = layout.FRAME_START.unpack(start)
    if found != magic:
        return None
    stored_bytes = layout.FRAME_START.size + content_bytes
    if offset_bytes + stored_bytes > stored.size_bytes:
        raise DamagedError(f"the file ends at byte {stored.size_bytes}, inside a skippable frame")
    return Frame(stored_bytes=stored_bytes, size_bytes=0)


def _unit(stored: StoredBytes, offset_bytes: int) -> Frame:
    """The zstd frame at ``offset_bytes`` (RFC 8878, section 3.1.1), found by following its block headers."""
    room_bytes = min(MAX_FRAME_HEADER_BYTES, stored.size_bytes - offset_bytes)
    header = read_frame_header(stored.read_small(offset_bytes, room_bytes))
    if not 0 < header.content_bytes <= MAX_UNIT_BYTES or not header.has_checksum:
        raise DamagedError("a frame that is not one of segfleet's units")
    stop = _behind_blocks(stored, offset_bytes + header.header_bytes, header.content_bytes) + _CHECKSUM_BYTES
    if stop > stored.size_bytes:
        raise DamagedError(f"the file ends at byte {stored.size_bytes}, inside a unit")
    return Frame(stored_bytes=stop - offset_bytes, size_bytes=header.content_bytes)


def _behind_blocks(stored: StoredBytes, position: int, content_bytes: int) -> int:
    """Where the blocks that begin at ``position`` end.

    Blocks that bring nothing would lead through a file of zeros of any size, three bytes at a time.
    """
    last, blocks_left = False, _LEAST_BLOCKS_COUNT + content_bytes // _LEAST_BLOCK_BYTES
    while not last:
        block = int.from_bytes(stored.read_small(position, _BLOCK_HEADER_BYTES), "little")
        last, kind, size_bytes = bool(block & 1), block >> 1 & 3, block >> 3
        blocks_left -= 1
        if kind == _RESERVED_BLOCK or size_bytes > _MAX_BLOCK_BYTES:
            raise DamagedError(f"the block at byte {position} is not of a kind that zstd makes")
        if blocks_left < 0 or not (size_bytes or last):
            raise DamagedError(f"the blocks up to byte {position} are more than its content needs")
        position += _BLOCK_HEADER_BYTES + (1 if kind == _RLE_BLOCK else size_bytes)
    return position
