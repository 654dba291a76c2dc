"""Compares a raw volume, cell by cell, with what the devices already hold of it."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from producer.host.looks import SilentError, look_through
from producer.raw.known import KnownCell, Reuse
from producer.raw.ranges import Range, merged
from producer.raw.raw_volumes import RawVolume
from tasks.digests import CELL_BYTES, content_digest, zeros_digest

#: More threads than this gain nothing: reading from a fast disk takes processor time too.
_MAX_THREADS = 8

#: A disk with bad blocks may try for a minute to read one.
_LIMIT_S = 300.0


@dataclass(kw_only=True, slots=True)
class Comparison:
    """``stored``: what must be stored now, whole cells; ``reused``: what earlier segments hold.  The rest is zeros."""

    stored: list[Range] = field(default_factory=list)
    reused: list[Reuse] = field(default_factory=list)


def compare(raw_volume: RawVolume, known: Mapping[int, KnownCell], on_bytes: Callable[[int], None]) -> Comparison:
    """Compare every used cell; reads all of them, unless nothing is known: then all must be stored.

    A cell that cannot be read counts as changed: the worker that stores it records what is bad.  ``on_bytes`` is called
    after each cell with the bytes compared so far, and may raise.
    """
    if not known:
        return Comparison(stored=raw_volume.used_cells)
    found, changed, done_bytes = Comparison(), [], 0
    digests = _guarded_digests(raw_volume, lambda: on_bytes(done_bytes))
    for cell, digest in zip(_cells(raw_volume), digests, strict=True):
        before = known.get(cell.start)
        if before is not None and digest == before.digest:
            found.reused.append(Reuse(cell.start, cell.size_bytes, before))
        elif digest != zeros_digest(cell.size_bytes):
            changed.append(cell)
        done_bytes += cell.size_bytes
        on_bytes(done_bytes)
    found.stored = merged(changed)
    return found


def _guarded_digests(raw_volume: RawVolume, on_wait: Callable[[], None]) -> Iterator[bytes | None]:
    """As :func:`_digests`; a disk that does not answer counts as one that cannot be read from there on."""
    read_count = 0
    try:
        for digest in look_through(raw_volume.path, lambda: _digests(raw_volume), limit_s=_LIMIT_S, on_wait=on_wait):
            yield digest
            read_count += 1
    except SilentError:
        yield from (None for _ in islice(_cells(raw_volume), read_count, None))


def _digests(raw_volume: RawVolume) -> Iterator[bytes | None]:
    """The digest of each cell, in order; None for one that cannot be read."""
    threads_count = min(_MAX_THREADS, os.cpu_count() or 1) + 1
    reader = _CellReader(raw_volume.path)
    ahead: deque[Future[bytes | None]] = deque()
    with ThreadPoolExecutor(threads_count, thread_name_prefix="compare") as pool:
        try:
            for cell in _cells(raw_volume):
                ahead.append(pool.submit(reader.digest, cell, raw_volume.unused_in(cell)))
                if len(ahead) > 2 * threads_count:
                    yield ahead.popleft().result()
            for future in ahead:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
            reader.close()


def _cells(raw_volume: RawVolume) -> Iterator[Range]:
    for item in raw_volume.used_cells:
        for start in range(item.start, item.stop, CELL_BYTES):
            yield Range(start, min(start + CELL_BYTES, item.stop))


class _CellReader:
    """Reads cells on several threads; each has a buffer of its own."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_device = stat.S_ISBLK(os.fstat(self._fd).st_mode)
        self._buffers = threading.local()

    def close(self) -> None:
        os.close(self._fd)

    def digest(self, cell: Range, unused: list[Range]) -> bytes | None:
        buffer = self._buffer()[: cell.size_bytes]
        try:
            self._fill(buffer, cell.start)
        except OSError:
            return None
        for item in unused:
            buffer[item.start - cell.start : item.stop - cell.start] = bytes(item.size_bytes)
        return content_digest(buffer)

    def _fill(self, buffer: memoryview, offset_bytes: int) -> None:
        done_bytes = 0
        while done_bytes < len(buffer):
            count = os.preadv(self._fd, [buffer[done_bytes:]], offset_bytes + done_bytes)
            if not count:
                raise OSError("the raw volume ends early")
            done_bytes += count
        if self._is_device:
            # Reading a whole disk would push everything else out of the cache.
            with suppress(OSError):
                os.posix_fadvise(self._fd, offset_bytes, len(buffer), os.POSIX_FADV_DONTNEED)

    def _buffer(self) -> memoryview:
        if not hasattr(self._buffers, "own"):
            self._buffers.own = memoryview(bytearray(CELL_BYTES))
        return self._buffers.own  # type: ignore[no-any-return]
