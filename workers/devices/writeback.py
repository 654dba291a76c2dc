"""Asking the kernel to begin writing, long before the sync that waits for it.

Left alone, Linux keeps hundreds of MiB of a new file in memory, and the disk idles until the final sync, which
then takes as long as the disk needs for all of them.
"""

from __future__ import annotations

import ctypes

_SYNC_FILE_RANGE_WRITE = 2

_sync_file_range = ctypes.CDLL(None, use_errno=True).sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def start_writeback(fd: int, offset_bytes: int, size_bytes: int) -> None:
    """Begin to write this range of the file to its disk, and do not wait (sync_file_range(2)).

    A hint: a file system that does not know it, or an error of the disk, shows in the sync.
    """
    _sync_file_range(fd, offset_bytes, size_bytes, _SYNC_FILE_RANGE_WRITE)
