"""A file of the target, opened to be read back: for its owner even where its mode denies that."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from workers.target.beating import beating
from workers.target.folders import Folders
from workers.target.metadata.opening_up import in_folder

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: As for the sync of an image.
_LONGEST_SYNC_S = 600.0

_syncfs = ctypes.CDLL(None, use_errno=True).syncfs


def sync_file_system(folders: Folders, beat: Callable[[], object]) -> None:
    """Have all that was written to the target on its disk: only then can the page cache be told to forget it."""
    with beating(beat, longest_s=_LONGEST_SYNC_S):
        try:
            descriptor = os.open(f"/proc/self/fd/{folders.root}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            os.sync()
            return
        try:
            _syncfs(descriptor)
        finally:
            os.close(descriptor)


def open_restored(folders: Folders, path: str) -> int:
    """A descriptor to read the file at ``path`` from, past the page cache where that is possible.

    Raises FileNotFoundError, other OSErrors and TargetTrouble.
    """
    folder, name = folders.parent_of(path, make=False)
    try:
        descriptor = in_folder(folder, lambda: os.open(name, _READ, dir_fd=folder))
    except PermissionError:
        descriptor = _open_closed(folder, name)
    # Advice; a file system in memory has no other copy.
    with suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return descriptor


def _open_closed(folder: int, name: str) -> int:
    """For a file whose mode denies its owner to read it."""
    handle = in_folder(folder, lambda: os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder))
    try:
        found, place = os.fstat(handle), f"/proc/self/fd/{handle}"
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(13, "not a file")
        os.chmod(place, stat.S_IMODE(found.st_mode) | stat.S_IRUSR)
        try:
            return os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.chmod(place, stat.S_IMODE(found.st_mode))
    finally:
        os.close(handle)


def read_range(descriptor: int, offset_bytes: int, size_bytes: int) -> bytes:
    """The bytes of the range, or fewer where the file ends."""
    data = os.pread(descriptor, size_bytes, offset_bytes)
    while len(data) < size_bytes and (more := os.pread(descriptor, size_bytes - len(data), offset_bytes + len(data))):
        data += more
    return data
