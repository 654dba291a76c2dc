"""Which sizes a file can have that somebody filled: a hole alone can claim to be anything."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.values import MAX_FILE_BYTES

#: Of ``st_blocks``, on every file system.
BLOCK_BYTES = 512

#: 64 TiB.  A larger file of which less than a thousandth has blocks is left out, unless its holes are known: its zeros
#: would be read for days.
MAX_HOLLOW_BYTES = 2**46


def is_bearable(size_bytes: int, blocks_count: int, data_ranges: Sequence[tuple[int, int]] | None) -> bool:
    """Whether a backup takes the file."""
    if size_bytes <= MAX_HOLLOW_BYTES:
        return True
    has_known_holes = data_ranges is not None and list(data_ranges) != [(0, size_bytes)]
    is_filled = blocks_count * BLOCK_BYTES * 1024 >= size_bytes
    return size_bytes <= MAX_FILE_BYTES and (has_known_holes or is_filled)
