"""Regular files in the target: opened without following anything, written at offsets, finished once.

A file begins with mode 0200, which hardly any finished file has, so a file that a restore left unfinished can be told
from one that was there before.  Nothing is truncated before it is written again: an order that arrives twice must not
empty what the first delivery restored.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from workers.target.folders import Folders
from workers.target.metadata import Metadata, has_metadata, set_metadata
from workers.target.punching import punch_hole
from workers.target.troubles import TargetTrouble
from workers.target.zeros import BLOCK_BYTES, stretches

UNFINISHED_MODE = 0o200

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
#: Without O_NONBLOCK a FIFO in the file's place would block the worker forever.
_OPEN = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK

#: Something else may appear at a name between two looks; more often than this is no accident.
_TRIES = 3

#: Written repeatedly where a range must be zeros and cannot be a hole.
_ZEROS = bytes(1024 * 1024)


class TargetFile:
    """One open file of the target."""

    __slots__ = ("_end_bytes", "_is_fresh", "descriptor")

    def __init__(self, descriptor: int, *, is_fresh: bool) -> None:
        self.descriptor = descriptor
        self._is_fresh = is_fresh
        self._end_bytes = 0

    def write(self, data: bytes, start: int, stop: int, offset_bytes: int) -> None:
        """Write ``data[start:stop]`` at ``offset_bytes``.  Long stretches of zeros stay holes where possible."""
        if stop - start < BLOCK_BYTES:
            self._write_all(memoryview(data)[start:stop], offset_bytes)
            return
        view = memoryview(data)
        for stretch in stretches(data, start, stop, offset_bytes):
            at_bytes = offset_bytes + stretch.start - start
            if not (stretch.is_zero and self.is_hole(at_bytes, stretch.stop - stretch.start)):
                self._write_all(view[stretch.start : stretch.stop], at_bytes)

    def make_zeros(self, offset_bytes: int, size_bytes: int, beat: Callable[[], object]) -> None:
        """Fill a range with zeros that this restore has not written to: an older file may have data there.

        ``beat`` is called meanwhile where the file system has no holes.
        """
        if not self.is_hole(offset_bytes, size_bytes) and not punch_hole(self.descriptor, offset_bytes, size_bytes):
            self._write_zeros(offset_bytes, size_bytes, beat)

    def is_hole(self, offset_bytes: int, size_bytes: int) -> bool:
        """Whether the range is a hole, as the file system reports it."""
        try:
            return os.lseek(self.descriptor, offset_bytes, os.SEEK_DATA) >= offset_bytes + size_bytes
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data from here to the end of the file
                return True
            raise

    def finish(self, size_bytes: int, metadata: Metadata) -> None:
        """Cut or extend the file to its size, and set its metadata.  Raises MetadataTrouble and OSError."""
        if not (self._is_fresh and self._end_bytes == size_bytes):
            os.ftruncate(self.descriptor, size_bytes)
        set_metadata(self.descriptor, metadata)

    def close(self) -> None:
        os.close(self.descriptor)

    def _write_zeros(self, offset_bytes: int, size_bytes: int, beat: Callable[[], object]) -> None:
        for start in range(0, size_bytes, len(_ZEROS)):
            self.write(_ZEROS, 0, min(len(_ZEROS), size_bytes - start), offset_bytes + start)
            beat()

    def _write_all(self, view: memoryview, offset_bytes: int) -> None:
        written = os.pwrite(self.descriptor, view, offset_bytes)
        while written < len(view):
            written += os.pwrite(self.descriptor, view[written:], offset_bytes + written)
        self._end_bytes = max(self._end_bytes, offset_bytes + written)


class LinkedFile(TargetFile):
    """A file with other hard links, which may lie outside the target: it is compared, never changed.

    Found when an order is delivered again after its hard links were made; then it holds what the order would write.
    """

    __slots__ = ()

    def write(self, data: bytes, start: int, stop: int, offset_bytes: int) -> None:
        """Raises TargetTrouble when the file does not hold these bytes."""
        if os.pread(self.descriptor, stop - start, offset_bytes) != data[start:stop]:
            raise TargetTrouble("unsafe-target", "the file there has other hard links; remove it first")

    def make_zeros(self, offset_bytes: int, size_bytes: int, beat: Callable[[], object]) -> None:
        """Raises TargetTrouble when the file does not hold zeros there."""
        self._write_zeros(offset_bytes, size_bytes, beat)

    def finish(self, size_bytes: int, metadata: Metadata) -> None:
        """Raises TargetTrouble when size or metadata are not what they should be."""
        if not has_metadata(os.fstat(self.descriptor), size_bytes, metadata):
            raise TargetTrouble("unsafe-target", "the file there has other hard links; remove it first")


def open_file(folders: Folders, path: str, size_bytes: int, metadata: Metadata) -> TargetFile:
    """Open ``path`` to overwrite it.  Removes what is there if it is not a file or has other hard links.

    Raises TargetTrouble and OSError.
    """
    folder, name = folders.parent_of(path)
    for _ in range(_TRIES):
        try:
            return TargetFile(os.open(name, _CREATE, UNFINISHED_MODE, dir_fd=folder), is_fresh=True)
        except FileExistsError:
            found = stat_entry(folder, name)
        if found is None:
            continue
        is_ours = found.st_nlink == 1 or has_metadata(found, size_bytes, metadata)
        if stat.S_ISREG(found.st_mode) and is_ours:
            return _open_existing(folder, name, found)
        remove_entry(folder, name, found)
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


def open_part(folders: Folders, path: str) -> TargetFile:
    """Open a file to which several segments contribute; the first one makes it.

    Raises TargetTrouble when something other than a file is there; and OSError.
    """
    folder, name = folders.parent_of(path)
    for _ in range(_TRIES):
        try:
            # Never treated as new: another device may be writing beyond what this one sees.
            return TargetFile(os.open(name, _CREATE, UNFINISHED_MODE, dir_fd=folder), is_fresh=False)
        except FileExistsError:
            found = stat_entry(folder, name)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise TargetTrouble("unsafe-target", "what is there is not a file")
        if found is not None:
            return _open_existing(folder, name, found)
    raise TargetTrouble("unsafe-target", "the file keeps appearing and vanishing")


def stat_entry(folder: int, name: str) -> os.stat_result | None:
    """What is at ``name`` itself, or None."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def remove_entry(folder: int, name: str, found: os.stat_result) -> None:
    """Remove what was ``found`` at ``name``; raises TargetTrouble for a folder."""
    if stat.S_ISDIR(found.st_mode):
        raise TargetTrouble("exists", "a folder is in its place")
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def is_unfinished(found: os.stat_result) -> bool:
    """Whether a restore left this file unfinished."""
    return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == UNFINISHED_MODE


def _open_existing(folder: int, name: str, found: os.stat_result) -> TargetFile:
    flags = _OPEN if found.st_nlink == 1 else _OPEN & ~os.O_ACCMODE | os.O_RDONLY
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except PermissionError:
        descriptor = _open_read_only_file(folder, name, flags)
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode) or (opened.st_nlink == 1) != (found.st_nlink == 1):
        os.close(descriptor)
        raise TargetTrouble("unsafe-target", "the file was replaced while it was being opened")
    return TargetFile(descriptor, is_fresh=False) if opened.st_nlink == 1 else LinkedFile(descriptor, is_fresh=False)


def _open_read_only_file(folder: int, name: str, flags: int) -> int:
    """Open a file whose mode denies access to its owner; the mode is unchanged when this returns."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    # Through /proc the descriptor itself gets a mode and is opened, so a replaced name is never followed.
    place = f"/proc/self/fd/{handle}"
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise TargetTrouble("unsafe-target", "the file may not be written, and has other hard links")
        os.chmod(place, UNFINISHED_MODE)
        try:
            return os.open(place, flags & ~os.O_NOFOLLOW)
        finally:
            os.chmod(place, stat.S_IMODE(found.st_mode))
    finally:
        os.close(handle)
