"""Exact, bounded reads of a stored segment."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from tasks.errors import DamagedError

#: Small reads are answered from a window of this size: most segments open with three reads.
_WINDOW_BYTES = 64 * 1024


class StoredBytes:
    """A stored segment of ``size_bytes``, read through ``read(offset, size)``.

    EIO is damage, for that is how a bad sector shows itself; what else ``read`` raises passes through.
    """

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes
        self._window_start = 0
        self._window = b""

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Exactly ``size_bytes``, or DamagedError.  Thread-safe if ``read`` is."""
        if offset_bytes + size_bytes > self.size_bytes:
            raise DamagedError(f"the file ends at byte {self.size_bytes}, {offset_bytes + size_bytes} are needed")
        try:
            data = self._read(offset_bytes, size_bytes)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            reason = os.strerror(errno.EIO)
            raise DamagedError(f"{size_bytes} bytes at byte {offset_bytes} cannot be read: {reason}") from error
        if len(data) != size_bytes:
            raise DamagedError(f"the file gave {len(data)} of {size_bytes} bytes at byte {offset_bytes}")
        return data

    def read_small(self, offset_bytes: int, size_bytes: int) -> bytes:
        """As :meth:`read`, with read-ahead for neighbouring reads.  Not thread-safe."""
        if not self._in_window(offset_bytes, size_bytes) and not self._move_window(offset_bytes, size_bytes):
            return self.read(offset_bytes, size_bytes)
        begin = offset_bytes - self._window_start
        return self._window[begin : begin + size_bytes]

    def _move_window(self, offset_bytes: int, size_bytes: int) -> bool:
        """Whether the window now holds this range."""
        if size_bytes > _WINDOW_BYTES or offset_bytes + size_bytes > self.size_bytes:
            return False
        # Near the end the window reaches back, so that trailer and seek table come with one read.
        start = max(0, min(offset_bytes, self.size_bytes - _WINDOW_BYTES))
        try:
            self._window = self.read(start, min(_WINDOW_BYTES, self.size_bytes - start))
        except DamagedError:
            return False  # the bad sector may be in a neighbour
        self._window_start = start
        return True

    def _in_window(self, offset_bytes: int, size_bytes: int) -> bool:
        start = self._window_start
        return start <= offset_bytes and offset_bytes + size_bytes <= start + len(self._window)
