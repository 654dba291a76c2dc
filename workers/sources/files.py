"""Opens the files of one source, and nothing outside it.

Each folder on the way is opened from its parent's descriptor without following symlinks, so nobody who can write in
the source can lead a reader out of it.  Folders stay open for the next file: the extents of a bundle are in path
order.
"""

from __future__ import annotations

import os
from collections import OrderedDict

from workers.sources.place import Place

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Without O_NONBLOCK a FIFO put in a file's place would block the worker.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Well under the usual limit of 1024 descriptors, and deeper than most trees.
_MAX_OPEN_FOLDERS = 64


class SourceFiles:
    """The files of the source at ``place``; a source that is itself a file has the path "".

    Closes the place in the end.  For one thread at a time.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._folder = ""
        self._folder_fd = -1
        self._folders: OrderedDict[str, int] = OrderedDict()
        self._file_flags = _FILE_FLAGS | os.O_NOATIME

    def __enter__(self) -> SourceFiles:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()
        self.place.close()

    def open(self, path: str) -> int:
        """A descriptor of the file at ``path``, for the caller to close; raises OSError."""
        if not path:
            return self._open_itself()
        folder, _, name = path.rpartition("/")
        if folder != self._folder or self._folder_fd < 0:
            self._folder_fd = -1
            self._folder_fd = self._open_folder(folder)
            self._folder = folder
        return self._open_file(name, self._folder_fd)

    def _open_itself(self) -> int:
        try:
            return self.place.open(_FILE_FLAGS | os.O_NOATIME)
        except PermissionError:
            return self.place.open(_FILE_FLAGS)

    def _open_file(self, name: str, folder_fd: int) -> int:
        flags = self._file_flags
        try:
            return os.open(name, flags, dir_fd=folder_fd)
        except PermissionError:
            if not flags & os.O_NOATIME:
                raise
        # Only the owner may use O_NOATIME; the next files most likely have the same owner.
        fd = os.open(name, flags & ~os.O_NOATIME, dir_fd=folder_fd)
        self._file_flags = _FILE_FLAGS
        return fd

    def _open_folder(self, folder: str) -> int:
        known = folder
        while known and known not in self._folders:
            known = known.rpartition("/")[0]
        fd = self.place.fd
        if known:
            self._folders.move_to_end(known)
            fd = self._folders[known]
        for name in filter(None, folder[len(known) :].split("/")):
            known = f"{known}/{name}" if known else name
            fd = self._folders[known] = os.open(name, _FOLDER_FLAGS, dir_fd=fd)
            if len(self._folders) > _MAX_OPEN_FOLDERS:
                os.close(self._folders.popitem(last=False)[1])
        return fd
