"""Exact, bounded reads of a stored segment."""

from __future__ import annotations

from collections.abc import Callable

from tasks.errors import DamagedError

#: Small reads are answered from a window of this size: most segments open with three reads.
_WINDOW_BYTES = 64 * 1024


class StoredBytes:
    """A stored segment of ``size_bytes``, read through ``read(offset, size)``.

    What ``read`` raises passes through.
    """

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read = read
        self.size_bytes = size_bytes
        self._window_start = 0
        self._window = b""

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Exactly ``size_bytes``; raises DamagedError when the segment ends before.  Thread-safe if ``read`` is."""
        if offset_bytes + size_bytes > self.size_bytes:
            raise DamagedError(f"the file ends at byte {self.size_bytes}, {offset_bytes + size_bytes} are needed")
        data = self._read(offset_bytes, size_bytes)
        if len(data) != size_bytes:
            raise DamagedError(f"the file gave {len(data)} of {size_bytes} bytes at byte {offset_bytes}")
        return data

    def read_small(self, offset_bytes: int, size_bytes: int) -> bytes:
        """As :meth:`read`, with read-ahead for neighbouring reads.  Not thread-safe."""
        if not self._in_window(offset_bytes, size_bytes):
            if size_bytes > _WINDOW_BYTES or offset_bytes + size_bytes > self.size_bytes:
                return self.read(offset_bytes, size_bytes)
            # Near the end the window reaches back, so that trailer and seek table come with one read.
            start = max(0, min(offset_bytes, self.size_bytes - _WINDOW_BYTES))
            self._window = self.read(start, min(_WINDOW_BYTES, self.size_bytes - start))
            self._window_start = start
        begin = offset_bytes - self._window_start
        return self._window[begin : begin + size_bytes]

    def _in_window(self, offset_bytes: int, size_bytes: int) -> bool:
        start = self._window_start
        return start <= offset_bytes and offset_bytes + size_bytes <= start + len(self._window)
