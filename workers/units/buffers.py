"""Memory for units that outlives the segment it was made for."""

from __future__ import annotations

import mmap
import queue
from contextlib import suppress


class UnitBuffers:
    """Buffers that are free to be taken.  Thread-safe.

    The kernel clears new memory, 24 MiB in 4 ms: as long as hashing what becomes of it takes.  A buffer that lies idle
    here is the kernel's to take back when memory is short, so its contents are anything.
    """

    def __init__(self) -> None:
        self._free: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()

    def take(self, size_bytes: int) -> mmap.mmap:
        """A buffer of at least ``size_bytes``; it is the caller's until given back, or for good."""
        while True:
            try:
                buffer = self._free.get_nowait()
            except queue.Empty:
                return _new_buffer(size_bytes)
            if len(buffer) >= size_bytes:
                return buffer

    def give_back(self, buffer: mmap.mmap) -> None:
        with suppress(OSError):  # a kernel before 4.5
            buffer.madvise(mmap.MADV_FREE)
        self._free.put(buffer)


def _new_buffer(size_bytes: int) -> mmap.mmap:
    """Memory that goes back to the system when it is let go.

    mmap, not bytearray: glibc keeps freed blocks up to 32 MiB in its heap, and the next segment's on top.
    Huge pages: without them the first use of 24 MiB takes 6144 page faults, 10 ms.
    """
    buffer = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer
