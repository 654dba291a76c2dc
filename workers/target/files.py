"""An open file of the target, written at offsets; and what is at a name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from workers.target.holes import BLOCK_BYTES, punch_hole, stretches
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import TargetTrouble

#: Written repeatedly where a range must be zeros and cannot be a hole.
_ZEROS = bytes(1024 * 1024)


class TargetFile:
    """One open file of the target."""

    __slots__ = ("_end_bytes", "_is_fresh", "descriptor")

    def __init__(self, descriptor: int, *, is_fresh: bool) -> None:
        self.descriptor = descriptor
        self._is_fresh = is_fresh
        self._end_bytes = 0

    def write(self, data: bytes, start: int, stop: int, offset_bytes: int, *, sparse: bool = False) -> None:
        """Write ``data[start:stop]`` at ``offset_bytes``.

        ``sparse``: long stretches of zeros stay holes where possible.
        """
        if stop - start < BLOCK_BYTES or not sparse:
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

    def cut(self, size_bytes: int) -> None:
        """Cut or extend the file to its size."""
        if not (self._is_fresh and self._end_bytes == size_bytes):
            os.ftruncate(self.descriptor, size_bytes)
            self._end_bytes = size_bytes

    def close(self) -> None:
        os.close(self.descriptor)

    def discard(self) -> None:
        """Close a file that cannot be finished by this order."""
        self.close()

    def _write_zeros(self, offset_bytes: int, size_bytes: int, beat: Callable[[], object]) -> None:
        for start in range(0, size_bytes, len(_ZEROS)):
            self.write(_ZEROS, 0, min(len(_ZEROS), size_bytes - start), offset_bytes + start)
            beat()

    def _write_all(self, view: memoryview, offset_bytes: int) -> None:
        written = 0
        while written < len(view):
            written += os.pwrite(self.descriptor, view[written:], offset_bytes + written)
            self._end_bytes = max(self._end_bytes, offset_bytes + written)


def stat_entry(folder: int, name: str) -> os.stat_result | None:
    """What is at ``name`` itself, or None."""
    try:
        return in_folder(folder, lambda: os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def remove_entry(folder: int, name: str, found: os.stat_result) -> None:
    """Remove what was ``found`` at ``name``; raises TargetTrouble for a folder."""
    if stat.S_ISDIR(found.st_mode):
        raise TargetTrouble("exists", "a folder is in its place")
    try:
        in_folder(folder, lambda: os.unlink(name, dir_fd=folder))
    except FileNotFoundError:
        return
