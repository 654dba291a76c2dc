"""A file under a temporary name until it is complete.

Its writer holds a lock on it, which the kernel releases when the writer dies.  So a sweep can tell leftovers from
files that are being written, also on a device that several workers share.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import suppress

from workers.devices.base import Bytes
from workers.devices.keys import TEMPORARY_SUFFIX
from workers.devices.local.writeback import start_writeback

#: Large enough for a disk to write in one go, small enough to leave little to the sync.
_WRITEBACK_BYTES = 8 * 1024 * 1024

#: What a file system without locks or hard links reports.
_NOT_SUPPORTED = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})


class PendingFile:
    """An unfinished ``name`` in the folder of descriptor ``folder_fd``, which the caller keeps open.

    Raises OSError, as the operating system does.
    """

    def __init__(self, folder_fd: int, name: str) -> None:
        self._folder_fd = folder_fd
        self._name = name
        self._temporary_name, self.fd = _create(folder_fd, name)
        self._size_bytes = 0
        self._started_bytes = 0

    def write(self, buffer: Bytes) -> None:
        rest = memoryview(buffer).cast("B")
        while rest:
            count = os.write(self.fd, rest)
            rest = rest[count:]
            self._size_bytes += count
        fresh_bytes = self._size_bytes - self._started_bytes
        if fresh_bytes >= _WRITEBACK_BYTES:
            start_writeback(self.fd, self._started_bytes, fresh_bytes)
            self._started_bytes = self._size_bytes

    def publish(self) -> None:
        """Sync, rename to the final name over whatever is there, sync the folder."""
        os.fsync(self.fd)
        os.rename(self._temporary_name, self._name, src_dir_fd=self._folder_fd, dst_dir_fd=self._folder_fd)
        os.fsync(self._folder_fd)

    def publish_first(self) -> bool:
        """Like :meth:`publish`, but an existing file stays; returns whether this one was published."""
        os.fsync(self.fd)
        folder_fd = self._folder_fd
        try:
            os.link(self._temporary_name, self._name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
            self.publish()
        os.fsync(folder_fd)
        return True

    def close(self) -> None:
        """Remove the temporary name if it still exists.  Raises nothing; may be called again."""
        if self.fd < 0:
            return
        with suppress(OSError):
            os.unlink(self._temporary_name, dir_fd=self._folder_fd)
        with suppress(OSError):
            os.close(self.fd)
        self.fd = -1


def remove_if_left_over(folder_fd: int, name: str) -> bool:
    """Remove the temporary file ``name`` unless its writer lives; returns whether it did.

    On a file system without locks nobody knows whether the writer lives, so the file stays.
    """
    try:
        fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder_fd)
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        return False
    finally:
        os.close(fd)
    return True


def _create(folder_fd: int, name: str) -> tuple[str, int]:
    while True:
        temporary_name = f"{name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        fd = os.open(temporary_name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder_fd)
        if _lock(fd):
            return temporary_name, fd
        os.close(fd)


def _lock(fd: int) -> bool:
    """Lock a new file; False when a sweep removed it between its creation and the lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    return os.fstat(fd).st_nlink == 1
