"""Reads a stream into the spool, on a thread of its own: the run continues while the stream is silent."""

from __future__ import annotations

import os
import queue
import select
import threading
from typing import IO, Self

from msgspec import Struct

from producer.backup.streaming.spool import Spool, SpoolClosedError, spool_error
from tasks.errors import StreamError
from tasks.values import MAX_FILE_BYTES

_READ_BYTES = 1024 * 1024

#: How soon a silent stream is given up when the run ends.
_LOOK_EVERY_MS = 200


class Piece(Struct, frozen=True, kw_only=True):
    """A segment that is complete in the spool."""

    number: int
    offset_bytes: int
    size_bytes: int


class StreamReader:
    """To be used in a with block, which ends the thread."""

    def __init__(self, stream: int, spool: Spool, segment_bytes: int) -> None:
        """``stream``: a descriptor, which stays open."""
        self._stream = stream
        self._spool = spool
        self._segment_bytes = segment_bytes
        self._pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._is_stopped = threading.Event()
        self._is_at_end = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_stopped.set()
        self._spool.close()
        self._thread.join()

    def take(self) -> list[Piece]:
        """The pieces that have become complete.  Raises what has ended the reading: StreamError."""
        if self._error is not None:
            raise self._error
        pieces = []
        while True:
            try:
                pieces.append(self._pieces.get_nowait())
            except queue.Empty:
                return pieces

    @property
    def has_ended(self) -> bool:
        """Whether :meth:`take` will have no more pieces than it has now."""
        return self._ended.is_set()

    def wait(self, timeout_s: float) -> None:
        """Wait until the stream has ended, or for ``timeout_s``."""
        self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            self._read_all()
        except SpoolClosedError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def _read_all(self) -> None:
        number = offset_bytes = 0
        while first := self._read(self._segment_bytes):
            with self._spool.begin(number, self._segment_bytes) as file:
                size_bytes = self._fill(file, first)
            self._spool.finish(number, size_bytes)
            self._pieces.put(Piece(number=number, offset_bytes=offset_bytes, size_bytes=size_bytes))
            number, offset_bytes = number + 1, offset_bytes + size_bytes
            if offset_bytes > MAX_FILE_BYTES - self._segment_bytes:
                raise StreamError("the stream is longer than a file can be", hint="does it ever end?")

    def _fill(self, file: IO[bytes], data: bytes) -> int:
        """Write ``data`` and what follows until the segment is full; returns its size."""
        size_bytes = 0
        while data:
            self._write(file, data)
            size_bytes += len(data)
            data = self._read(self._segment_bytes - size_bytes)
        return size_bytes

    def _write(self, file: IO[bytes], data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise spool_error(self._spool.folder, error) from error

    def _read(self, most_bytes: int) -> bytes:
        """The next bytes; none at the end of the stream, or if no more are wanted."""
        if self._is_at_end or not most_bytes:
            return b""
        waiting = select.poll()
        waiting.register(self._stream, select.POLLIN)
        try:
            while not self._is_stopped.is_set():
                if waiting.poll(_LOOK_EVERY_MS):
                    data = os.read(self._stream, min(most_bytes, _READ_BYTES))
                    self._is_at_end = not data
                    return data
        except OSError as error:
            raise StreamError(f"cannot read the stream: {error.strerror}", hint="") from error
        raise SpoolClosedError
