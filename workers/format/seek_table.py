"""The standard seek table of the Zstandard Seekable Format, version 0.1.0: the last frame of a segment."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tasks.errors import DamagedError
from tasks.values import MAX_UNIT_BYTES
from workers.format import layout
from workers.format.stored_bytes import StoredBytes


class Frame(Struct, frozen=True, kw_only=True):
    """One frame of a segment; ``size_bytes`` is the size of its content, 0 for a skippable frame."""

    stored_bytes: int
    size_bytes: int


def encode_seek_table(frames: Sequence[Frame]) -> bytes:
    """The seek table of a segment that consists of ``frames``; raises ValueError beyond the format's 32-bit fields."""
    if len(frames) > layout.MAX_FRAMES:
        raise ValueError(f"{len(frames)} frames; a seek table holds {layout.MAX_FRAMES}")
    if any(max(frame.stored_bytes, frame.size_bytes) > layout.MAX_FRAME_BYTES for frame in frames):
        raise ValueError("a frame of 4 GiB or more does not fit a seek table")
    entries = b"".join(layout.SEEK_TABLE_ENTRY.pack(frame.stored_bytes, frame.size_bytes) for frame in frames)
    footer = layout.SEEK_TABLE_FOOTER.pack(len(frames), layout.SEEK_TABLE_DESCRIPTOR, layout.SEEK_TABLE_FOOTER_MAGIC)
    content = entries + footer
    return layout.FRAME_START.pack(layout.SEEK_TABLE_FRAME_MAGIC, len(content)) + content


def read_seek_table(stored: StoredBytes) -> tuple[Frame, ...]:
    """The frames of a segment, from the table at its end: header, units, trailer.

    Raises DamagedError unless the table is of that shape and accounts for every byte of the file.
    """
    try:
        frames = _read(stored)
    except DamagedError as error:
        raise DamagedError(f"seek table: {error.message}") from error
    return frames


def _read(stored: StoredBytes) -> tuple[Frame, ...]:
    footer_bytes = layout.SEEK_TABLE_FOOTER.size
    footer = stored.read_small(max(0, stored.size_bytes - footer_bytes), footer_bytes)
    count, descriptor, magic = layout.SEEK_TABLE_FOOTER.unpack(footer)
    if magic != layout.SEEK_TABLE_FOOTER_MAGIC:
        raise DamagedError("its magic number is not at the end of the file")
    if descriptor != layout.SEEK_TABLE_DESCRIPTOR:
        raise DamagedError(f"descriptor {descriptor:#04x} is not one that segfleet writes")
    content_bytes = count * layout.SEEK_TABLE_ENTRY.size + footer_bytes
    table_bytes = layout.FRAME_START.size + content_bytes
    if count > layout.MAX_FRAMES or table_bytes + count * layout.MIN_UNIT_STORED_BYTES > stored.size_bytes:
        raise DamagedError(f"{count} frames are more than the file can hold")
    start = stored.read_small(stored.size_bytes - table_bytes, layout.FRAME_START.size)
    if layout.FRAME_START.unpack(start) != (layout.SEEK_TABLE_FRAME_MAGIC, content_bytes):
        raise DamagedError(f"it does not begin where {count} frames put its beginning")
    entries = stored.read_small(stored.size_bytes - table_bytes + len(start), content_bytes - footer_bytes)
    _check_shape(entries, count, stored.size_bytes - table_bytes)
    return tuple(
        Frame(stored_bytes=stored_bytes, size_bytes=size_bytes)
        for stored_bytes, size_bytes in layout.SEEK_TABLE_ENTRY.iter_unpack(entries)
    )


def _check_shape(entries: bytes, count: int, data_bytes: int) -> None:
    """Before anything is kept of the entries."""
    last, total_bytes = count - 1, 0
    for number, (stored_bytes, size_bytes) in enumerate(layout.SEEK_TABLE_ENTRY.iter_unpack(entries)):
        total_bytes += stored_bytes
        if number in (0, last) and size_bytes:
            raise DamagedError("it does not begin with a header and end with a trailer")
        if 0 < number < last and not 0 < size_bytes <= MAX_UNIT_BYTES:
            raise DamagedError("the size of a unit is out of bounds")
    if count < 2 or total_bytes != data_bytes:
        raise DamagedError("its frames do not add up to the size of the file")
