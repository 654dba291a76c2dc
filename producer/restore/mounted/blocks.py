"""Blocks of stored segments, fetched by the run's thread for the threads that read files, and kept for a while."""

from __future__ import annotations

import queue
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from producer.restore.reading.fetches import Fetch, Fetches
from producer.restore.reading.ways import Piece
from tasks.errors import DamagedError

#: A worker decodes the whole unit and keeps it for the next blocks; more of it than this is not sent at once.
BLOCK_BYTES = 1024 * 1024

#: Of all files together.
_KEPT_BYTES = 96 * 1024 * 1024

#: Fetched ahead of somebody who reads one block after another.
_AHEAD_COUNT = 3

#: How long the run's thread waits for one side before it looks at the other.
_IDLE_S, _BUSY_S = 0.2, 0.02

#: An object, and the number of the block in its stream.
_Key = tuple[tuple[str, str], int]


class Blocks:
    """:meth:`read` is for any thread; :meth:`serve` is the run's thread, which alone talks to the workers."""

    def __init__(self) -> None:
        self._lock = Lock()
        #: Blocks that are there or on their way, the one that was used last at the end.
        self._kept: OrderedDict[_Key, Future[bytes]] = OrderedDict()
        self._asked: queue.SimpleQueue[tuple[Piece, Future[bytes]]] = queue.SimpleQueue()
        self._is_over = False

    def read(self, piece: Piece) -> bytes:
        """The bytes of a piece, at most some blocks.  Raises DamagedError when they are lost, or nobody serves."""
        try:
            return self._from_blocks(piece)
        except DamagedError:
            # What is damaged may be another unit of the same block.
            return self._fetched(piece).result()

    def _from_blocks(self, piece: Piece) -> bytes:
        first, last = (at // BLOCK_BYTES for at in (piece.stream_offset_bytes, _stop(piece) - 1))
        waiting = [self._block(piece, number) for number in range(first, last + 1)]
        if self._has(piece, first - 1):
            for number in range(last + 1, last + 1 + _AHEAD_COUNT):
                self._block(piece, number)
        data = b"".join(block.result() for block in waiting if block is not None)
        start = piece.stream_offset_bytes - first * BLOCK_BYTES
        return data[start : start + piece.size_bytes]

    def _fetched(self, piece: Piece) -> Future[bytes]:
        block: Future[bytes] = Future()
        with self._lock:
            if self._is_over:
                raise DamagedError("the file system is being unmounted")
            self._asked.put((piece, block))
        return block

    def serve(self, fetches: Fetches, is_over: Callable[[], bool]) -> None:
        """Serve readers until ``is_over``.  Then those who still wait, and those who come later, get an error."""
        under_way: dict[Fetch, Future[bytes]] = {}
        try:
            while not is_over():
                self._begin(fetches, under_way)
                for fetch in fetches.poll(_BUSY_S if under_way else 0.001):
                    block = under_way.pop(fetch, None)
                    if block is not None:
                        self._settle(fetches, fetch, block)
        finally:
            self._end(under_way)

    def _begin(self, fetches: Fetches, under_way: dict[Fetch, Future[bytes]]) -> None:
        """Ask the workers for what was asked for here; waits a moment for the first if nothing is under way."""
        try:
            piece, block = self._asked.get(timeout=_IDLE_S) if not under_way else self._asked.get_nowait()
            while True:
                fetch = fetches.begin(piece)
                if fetch.done:
                    self._settle(fetches, fetch, block)
                else:
                    under_way[fetch] = block
                piece, block = self._asked.get_nowait()
        except queue.Empty:
            return

    def _settle(self, fetches: Fetches, fetch: Fetch, block: Future[bytes]) -> None:
        if fetch.error is not None:
            self._fail(block, fetch.error)
        else:
            block.set_result(b"".join(fetches.read(fetch)))
            self._forget_the_oldest()

    def _fail(self, block: Future[bytes], error: DamagedError) -> None:
        """Pass the error on, and forget the block: the next reader causes another try."""
        with self._lock:
            for key in [key for key, kept in self._kept.items() if kept is block]:
                del self._kept[key]
        block.set_exception(error)

    def _forget_the_oldest(self) -> None:
        with self._lock:
            while len(self._kept) * BLOCK_BYTES > _KEPT_BYTES:
                key = next((key for key, block in self._kept.items() if block.done()), None)
                if key is None:
                    return
                del self._kept[key]

    def _end(self, under_way: dict[Fetch, Future[bytes]]) -> None:
        with self._lock:
            self._is_over = True
        blocks = list(under_way.values())
        while not self._asked.empty():
            blocks.append(self._asked.get()[1])
        for block in blocks:
            block.set_exception(DamagedError("the file system is being unmounted"))

    def _has(self, piece: Piece, number: int) -> bool:
        with self._lock:
            return _key(piece, number) in self._kept

    def _block(self, piece: Piece, number: int) -> Future[bytes] | None:
        """A block of the object's stream; None for one outside it."""
        start, stop = number * BLOCK_BYTES, min((number + 1) * BLOCK_BYTES, piece.object.size_bytes)
        if not 0 <= start < stop:
            return None
        key = _key(piece, number)
        with self._lock:
            if self._is_over:
                raise DamagedError("the file system is being unmounted")
            if key not in self._kept:
                self._kept[key] = Future()
                whole = Piece(
                    object=piece.object, stream_offset_bytes=start, offset_bytes=start, size_bytes=stop - start
                )
                self._asked.put((whole, self._kept[key]))
            self._kept.move_to_end(key)
            return self._kept[key]


def _key(piece: Piece, number: int) -> _Key:
    return piece.object.key, number


def _stop(piece: Piece) -> int:
    return piece.stream_offset_bytes + piece.size_bytes
