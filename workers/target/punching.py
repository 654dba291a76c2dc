"""Turns a range of a file into a hole, so that its space returns to the file system."""

from __future__ import annotations

import ctypes

_KEEP_SIZE = 1
_PUNCH_HOLE = 2

_fallocate = ctypes.CDLL(None).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def punch_hole(fd: int, offset_bytes: int, size_bytes: int) -> bool:
    """Make the range zeros without changing the file's size (fallocate(2)); takes no time, whatever its length.

    False when that fails (FAT and NFS before 4.2 have no holes): then write zeros, which shows any other error.
    """
    return bool(_fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, offset_bytes, size_bytes) == 0)
