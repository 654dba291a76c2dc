"""Opens the files of one source, and nothing outside it.

Each folder on the way is opened from its parent's descriptor and without following symlinks, so whoever can write
in the source cannot lead a reader out of it.  Folders stay open for the next file: the extents of a bundle are in
path order.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from tasks.errors import SourceError

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Without O_NONBLOCK a FIFO put in a file's place would block the worker.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Well under the usual limit of 1024 descriptors, and deeper than most trees.
_MAX_OPEN_FOLDERS = 64


class SourceFiles:
    """The files below ``root``, or ``root`` itself, if it is a file, under the path "".

    Not for several threads at once.  Raises SourceError when there is nothing at the root.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._root = root
        self._folder = ""
        self._folder_fd = -1
        self._folders: OrderedDict[str, int] = OrderedDict()
        self._file_flags = _FILE_FLAGS | os.O_NOATIME
        try:
            self._root_fd = os.open(root, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            message = f"source {name}: {root}: {os.strerror(error.errno or 0)}"
            raise SourceError(message, path=str(root), hint="is it mounted on this host?") from error

    def __enter__(self) -> SourceFiles:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for fd in (self._root_fd, *self._folders.values()):
            os.close(fd)
        self._folders.clear()

    def open(self, path: str) -> int:
        """A descriptor of the file at ``path``, for the caller to close; raises OSError."""
        if not path:
            # The root is the user's word: here alone a symlink is followed.
            return self._open_file(str(self._root), None)
        folder, _, name = path.rpartition("/")
        if folder != self._folder or self._folder_fd < 0:
            self._folder_fd = -1
            self._folder_fd = self._open_folder(folder)
            self._folder = folder
        return self._open_file(name, self._folder_fd)

    def _open_file(self, name: str, folder_fd: int | None) -> int:
        flags = self._file_flags if folder_fd is not None else self._file_flags & ~os.O_NOFOLLOW
        try:
            return os.open(name, flags, dir_fd=folder_fd)
        except PermissionError:
            if not flags & os.O_NOATIME:
                raise
        # Only the owner may ask for O_NOATIME; the next files will have the same owner.
        fd = os.open(name, flags & ~os.O_NOATIME, dir_fd=folder_fd)
        self._file_flags = _FILE_FLAGS
        return fd

    def _open_folder(self, folder: str) -> int:
        known = folder
        while known and known not in self._folders:
            known = known.rpartition("/")[0]
        fd = self._root_fd
        if known:
            self._folders.move_to_end(known)
            fd = self._folders[known]
        for name in filter(None, folder[len(known) :].split("/")):
            known = f"{known}/{name}" if known else name
            fd = self._folders[known] = os.open(name, _FOLDER_FLAGS, dir_fd=fd)
            if len(self._folders) > _MAX_OPEN_FOLDERS:
                os.close(self._folders.popitem(last=False)[1])
        return fd
