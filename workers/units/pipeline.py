"""A segment's units on their way through memory: read on one thread, compressed on several, returned in order.

::

    reader thread ──fill──▶ free buffer ──▶ compressing threads ──▶ frames, in stream order ──▶ the caller
                     ▲                              │                                              │
                     └────── buffer given back ─────┘     at most 2 x threads units on the way ────┘

Memory: threads + 1 buffers, and at most 2 x threads frames; together no more than 4 x threads x unit.
"""

from __future__ import annotations

import mmap
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from blake3 import blake3
from msgspec import Struct

from workers.units.buffers import UnitBuffers
from workers.units.compress import UnitCompressor


class CompressedUnit(Struct, frozen=True, kw_only=True):
    """One frame, ready to be stored; ``digest`` is the BLAKE3 of ``frame``."""

    frame: bytes
    size_bytes: int
    digest: bytes
    compress_s: float


def compressed(compressor: UnitCompressor, unit: memoryview) -> CompressedUnit:
    started_s = time.perf_counter()
    frame = compressor.compress(unit)
    digest = blake3(frame).digest()
    return CompressedUnit(frame=frame, size_bytes=len(unit), digest=digest, compress_s=time.perf_counter() - started_s)


class UnitPipeline:
    """Reads and compresses the units of one segment; use it once, in a ``with`` block.

    ``sizes_bytes`` are the sizes of the units in stream order, each at least 1.  ``fill(buffer)`` must
    fill the whole buffer, which is exactly as long as the unit, and must not keep it; it is called for one unit after
    the other, on a thread of its own.  Buffers come from ``spare`` and return to it.  Iterating yields the
    :class:`CompressedUnit` of each unit, in order.

    An error of ``fill`` or the compressor is raised at the unit where it happened; no unit after it is yielded.
    Leaving the ``with`` block early stops the threads after their current unit; none survives the block.
    """

    def __init__(
        self,
        sizes_bytes: Sequence[int],
        fill: Callable[[memoryview], object],
        *,
        level: int,
        threads: int,
        spare: UnitBuffers | None = None,
    ) -> None:
        self._sizes_bytes = sizes_bytes
        self._spare = spare or UnitBuffers()
        self._fill = fill
        self._level = level
        self._threads = threads
        self._compressors = threading.local()
        self._places = threading.Semaphore(2 * threads)
        self._buffers: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self._pending: queue.SimpleQueue[Future[CompressedUnit]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="compress")
        self._reader = threading.Thread(target=self._read_units, name="read-units", daemon=True)

    def __enter__(self) -> Self:
        for _ in range(min(self._threads + 1, len(self._sizes_bytes))):
            self._buffers.put(self._spare.take(max(self._sizes_bytes)))
        self._reader.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._places.release()  # wakes the reader; the workers return the other buffers
        self._reader.join()
        self._executor.shutdown(cancel_futures=True)
        while not self._buffers.empty():
            self._spare.give_back(self._buffers.get())

    def __iter__(self) -> Iterator[CompressedUnit]:
        for _ in self._sizes_bytes:
            yield self._pending.get().result()
            self._places.release()

    def _read_units(self) -> None:
        for size_bytes in self._sizes_bytes:
            self._places.acquire()
            if self._stopping.is_set():
                return
            try:
                self._pending.put(self._read_unit(size_bytes))
            except BaseException as error:
                self._pending.put(_failed(error))
                return

    def _read_unit(self, size_bytes: int) -> Future[CompressedUnit]:
        buffer = self._buffers.get()
        with memoryview(buffer) as whole, whole[:size_bytes] as unit:
            self._fill(unit)
        return self._executor.submit(self._compress, buffer, size_bytes)

    def _compress(self, buffer: mmap.mmap, size_bytes: int) -> CompressedUnit:
        try:
            with memoryview(buffer) as whole, whole[:size_bytes] as unit:
                return compressed(self._compressor(), unit)
        finally:
            self._buffers.put(buffer)

    def _compressor(self) -> UnitCompressor:
        if not hasattr(self._compressors, "own"):
            self._compressors.own = UnitCompressor(self._level)
        return self._compressors.own  # type: ignore[no-any-return]


def _failed(error: BaseException) -> Future[CompressedUnit]:
    future: Future[CompressedUnit] = Future()
    future.set_exception(error)
    return future
