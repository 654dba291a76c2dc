"""Making a range of a file zeros without writing them: its room goes back to the file system."""

from __future__ import annotations

import ctypes

_KEEP_SIZE = 1
_PUNCH_HOLE = 2

_fallocate = ctypes.CDLL(None).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def punch_hole(fd: int, offset_bytes: int, size_bytes: int) -> bool:
    """Make the range zeros, and leave the file's size (fallocate(2)); at once, however long the range is.

    False when it could not be done (FAT and NFS before 4.2 know no holes): then zeros have to be written, which tells
    whatever else is wrong.
    """
    return bool(_fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, offset_bytes, size_bytes) == 0)
