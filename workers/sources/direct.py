"""Opens a raw volume, and reads it past the page cache where that helps.

A block device is read with O_DIRECT: the backup of a whole disk would push everything else out of the cache, and under
a frozen file system the cache of the device may be older than the disk.  An image file is read through the
cache, where it often is already; what was not there before is dropped again.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
from contextlib import suppress

from tasks.errors import SourceError
from tasks.raw import MARK_BYTES, raw_volume_mark
from tasks.receipts import FileState
from tasks.sources.mtimes import packable
from workers.sources.place import Place

#: Memory, offset and size of a direct read are multiples of this, the largest logical block size of disks.
ALIGNMENT_BYTES = 4096


def open_reader(place: Place, *, mark: str = "") -> RawVolumeReader:
    """The raw volume at ``place``; raises SourceError, also when it is neither a block device nor a regular file.

    Refuses a device node below a configured source, because the device does not lie in that source; and, with a
    ``mark`` (:func:`tasks.raw.raw_volume_mark`), any other raw volume.
    """
    try:
        fd = place.open(os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            reader = _reader(fd, place)
        except BaseException:
            os.close(fd)
            raise
        try:
            if mark and mark != reader.mark():
                raise OSError(errno.ENXIO, "not the raw volume that the manager has, or changed since the backup began")
        except BaseException:
            reader.close()
            raise
    except OSError as error:
        raise raw_volume_error(place.where, error) from error
    return reader


def raw_volume_error(where: str, error: OSError) -> SourceError:
    """The error for a raw volume as a whole; ``where`` names it."""
    reason = error.strerror or os.strerror(errno.EIO)
    return SourceError(f"{where}: {reason}", hint="does it exist on this host, and may the worker read it?")


def _reader(fd: int, place: Place) -> RawVolumeReader:
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        with suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return RawVolumeReader(fd, None, status)
    if not stat.S_ISBLK(status.st_mode):
        raise OSError(errno.EINVAL, "neither a block device nor an image file")
    if not place.is_configured:
        raise OSError(errno.EPERM, "a block device must be a configured source itself")
    return RawVolumeReader(fd, _open_direct(place), status)


def _open_direct(place: Place) -> int | None:
    with suppress(OSError):
        return place.open(os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    return None


class RawVolumeReader:
    """A raw volume that is open; owns its descriptors.  For one thread."""

    def __init__(self, fd: int, direct_fd: int | None, status: os.stat_result) -> None:
        self._fd = fd
        self._direct_fd = direct_fd
        self._status = status

    def read_into(self, buffer: memoryview, offset_bytes: int) -> int:
        """Read up to ``len(buffer)`` bytes; 0 at the end of the raw volume.  Raises OSError."""
        if self._direct_fd is not None and _is_aligned(buffer, offset_bytes):
            whole_bytes = len(buffer) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
            return os.preadv(self._direct_fd, [buffer[:whole_bytes]], offset_bytes)
        return os.preadv(self._fd, [buffer], offset_bytes)

    def mark(self) -> str:
        """The raw volume's :func:`tasks.raw.raw_volume_mark`, read past the cache where possible; raises OSError."""
        with mmap.mmap(-1, MARK_BYTES) as memory, memoryview(memory) as buffer:
            read_bytes = self.read_into(buffer, 0)
            return raw_volume_mark(os.lseek(self._fd, 0, os.SEEK_END), bytes(buffer[:read_bytes]))

    def was_changed(self) -> bool:
        if not stat.S_ISREG(self._status.st_mode):
            return False
        now = os.fstat(self._fd)
        return (now.st_mtime_ns, now.st_size) != (self._status.st_mtime_ns, self._status.st_size)

    def file_state(self) -> FileState | None:
        """The image file as it is now; None for a block device, which has no time of change."""
        if not stat.S_ISREG(self._status.st_mode):
            return None
        now = os.fstat(self._fd)
        mtime_ns, ctime_ns = packable(now.st_mtime_ns), packable(now.st_ctime_ns)
        return FileState(size_bytes=now.st_size, mtime_ns=mtime_ns, ctime_ns=ctime_ns)

    def close(self) -> None:
        os.close(self._fd)
        if self._direct_fd is not None:
            os.close(self._direct_fd)


def _is_aligned(buffer: memoryview, offset_bytes: int) -> bool:
    if offset_bytes % ALIGNMENT_BYTES or len(buffer) < ALIGNMENT_BYTES:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % ALIGNMENT_BYTES == 0
