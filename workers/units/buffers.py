"""Memory for units that outlives the segment it was made for."""

from __future__ import annotations

import mmap
import queue
from contextlib import suppress


class UnitBuffers:
    """A pool of free buffers.  Thread-safe.

    The kernel takes 4 ms to clear 24 MiB of new memory, as long as hashing them takes.  The kernel may reclaim an idle
    buffer when memory is short, so its contents are undefined.
    """

    def __init__(self) -> None:
        self._free: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()

    def take(self, size_bytes: int) -> mmap.mmap:
        """A buffer of at least ``size_bytes``; the caller may return it or keep it."""
        while True:
            try:
                buffer = self._free.get_nowait()
            except queue.Empty:
                return _new_buffer(size_bytes)
            if len(buffer) >= size_bytes:
                return buffer

    def give_back(self, buffer: mmap.mmap) -> None:
        with suppress(OSError):  # kernels before 4.5 have no MADV_FREE
            buffer.madvise(mmap.MADV_FREE)
        self._free.put(buffer)


def _new_buffer(size_bytes: int) -> mmap.mmap:
    """Memory that returns to the system when it is freed.

    mmap, not bytearray: glibc keeps freed blocks of up to 32 MiB in its heap, beside those of the next segment.
    Huge pages: without them the first use of 24 MiB takes 6144 page faults, 10 ms.
    """
    buffer = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer
