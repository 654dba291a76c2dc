"""Which sizes a file can have that somebody filled: a hole alone can claim to be anything."""

from __future__ import annotations

from producer.walk.status import Status
from tasks.values import MAX_FILE_BYTES

#: Of ``st_blocks``, on every file system.
BLOCK_BYTES = 512

#: 64 TiB.  A larger file of which less than a thousandth has blocks is left out.  Its zeros would compress to 7 GB.
MAX_HOLLOW_BYTES = 2**46


def is_bearable(status: Status) -> bool:
    """Whether a backup takes the file."""
    if status.st_size <= MAX_HOLLOW_BYTES:
        return True
    return status.st_size <= MAX_FILE_BYTES and status.st_blocks * BLOCK_BYTES * 1024 >= status.st_size
