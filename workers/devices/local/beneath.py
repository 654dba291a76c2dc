"""Opens what is on a device, part by part from its root: no symbolic link leads anywhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

#: Without O_NONBLOCK a FIFO in a file's place would block the worker forever.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def open_folder(root_fd: int, folders: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder that ``folders`` lead to; raises OSError, also where one of them is a link."""
    folder_fd = os.dup(root_fd)
    try:
        for name in folders:
            parent_fd, folder_fd = folder_fd, -1
            try:
                folder_fd = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=parent_fd)
            finally:
                os.close(parent_fd)
        yield folder_fd
    finally:
        if folder_fd >= 0:
            os.close(folder_fd)


def make_folders(root_fd: int, folders: Sequence[str]) -> int:
    """A descriptor of the folder; each that had to be made is synced into its parent."""
    folder_fd = os.dup(root_fd)
    for name in folders:
        parent_fd = folder_fd
        try:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent_fd)
                os.fsync(parent_fd)
            folder_fd = os.open(name, FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=parent_fd)
        finally:
            os.close(parent_fd)
    return folder_fd


def open_regular_file(folder_fd: int, name: str) -> int:
    """A descriptor of the file ``name``, to be read; raises OSError where it is none.

    It is looked at before it is opened: to open a device node may do something.
    """
    _check_regular(os.stat(name, dir_fd=folder_fd, follow_symlinks=False))
    fd = os.open(name, _FILE_FLAGS, dir_fd=folder_fd)
    try:
        _check_regular(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def files_below(folder_fd: int, path: str) -> Iterator[tuple[str, int]]:
    """Path, and descriptor of its folder, of all that is below ``path`` and is no folder; links are not followed."""
    for found, _, names, found_fd in os.fwalk(path, dir_fd=folder_fd, onerror=_raise):
        for name in names:
            yield f"{found}/{name}", found_fd


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a regular file")


def _raise(error: OSError) -> None:
    raise error
