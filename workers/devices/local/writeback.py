"""Asks the kernel to begin writing, long before the sync that waits for it.

Left alone, Linux keeps hundreds of MiB of a new file in memory, and the disk idles until the final sync, which
then takes as long as the disk needs for all of them.
"""

from __future__ import annotations

import ctypes
import errno
import os

_WAIT_BEFORE = 1
_WRITE = 2
_WAIT_AFTER = 4

#: What a kernel or sandbox without the call reports.
_NOT_SUPPORTED = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.ESPIPE})

_sync_file_range = ctypes.CDLL(None, use_errno=True).sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def start_writeback(fd: int, offset_bytes: int, size_bytes: int) -> None:
    """Start writing this range of the file to its disk, without waiting (sync_file_range(2)).

    A hint only: errors of the disk show in the sync that follows.
    """
    _sync_file_range(fd, offset_bytes, size_bytes, _WRITE)


def wait_for_writeback(fd: int, offset_bytes: int, size_bytes: int) -> None:
    """Return once the disk has taken this range of the file; a sync has to follow, for the disk's own memory.

    Raises OSError when the disk failed: the sync that follows does not report it again.
    """
    if _sync_file_range(fd, offset_bytes, size_bytes, _WAIT_BEFORE | _WRITE | _WAIT_AFTER):
        number = ctypes.get_errno()
        if number not in _NOT_SUPPORTED:
            raise OSError(number, os.strerror(number))
