"""What a file of the target held before: ranges of it that are still right need not come from a device again."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType

from tasks.digests import content_digest
from workers.target.content.restored_file import read_range
from workers.target.files import stat_entry
from workers.target.folders import Folders
from workers.target.holes import punch_hole
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import PATH_ERRORS
from workers.target.unfinished import kept_name

_NO_FOLLOW = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OlderContent:
    """The file at ``path``, and what an interrupted restore left of it; either may be missing."""

    def __init__(self, folders: Folders, path: str, run_id: str) -> None:
        self._left_over: int | None = None
        self._there: int | None = None
        with suppress(*PATH_ERRORS):
            folder, name = folders.parent_of(path, make=False)
            self._left_over = _open(folder, kept_name(run_id, path), os.O_RDWR)
            self._there = _open(folder, name, os.O_RDONLY)

    def __enter__(self) -> OlderContent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (self._left_over, self._there):
            if descriptor is not None:
                os.close(descriptor)

    def may_hold(self, size_bytes: int, *, is_whole: bool) -> bool:
        """Whether a look is worth it: a whole file of one cell can only be equal to one of its size."""
        if self._left_over is not None:
            return True
        return self._there is not None and not (is_whole and os.fstat(self._there).st_size != size_bytes)

    def read(self, offset_bytes: int, size_bytes: int, digest: bytes) -> bytes | None:
        """The bytes of the range, if one of them holds what has this digest.  What is read is what is proved."""
        for descriptor in (self._left_over, self._there):
            if descriptor is not None and not _is_hole(descriptor, offset_bytes, size_bytes):
                data = read_range(descriptor, offset_bytes, size_bytes)
                if content_digest(data) == digest:
                    return data
        return None

    def give_back(self, offset_bytes: int, size_bytes: int) -> None:
        """The range has been copied: what was left over needs no space for it."""
        if self._left_over is not None:
            punch_hole(self._left_over, offset_bytes, size_bytes)


def _open(folder: int, name: str, access: int) -> int | None:
    """None for what is no file, or cannot be opened.  Looks first: to open a device may do something."""
    try:
        found = stat_entry(folder, name)
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        return in_folder(folder, lambda: os.open(name, access | _NO_FOLLOW, dir_fd=folder))
    except OSError:
        return None


def _is_hole(descriptor: int, offset_bytes: int, size_bytes: int) -> bool:
    try:
        return os.lseek(descriptor, offset_bytes, os.SEEK_DATA) >= offset_bytes + size_bytes
    except OSError:
        return True
