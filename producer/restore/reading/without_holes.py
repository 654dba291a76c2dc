"""The data of a file with holes is fetched as if there were none, and the holes are put back as zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from producer.listing.data_ranges import DataRanges
from producer.restore.reading.ways import zeros


class Out(Protocol):
    """Takes the bytes in order; :meth:`flush` comes last."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


class WithHoles:
    """Takes the data of a file alone, and writes the file to ``out``: ``size_bytes`` of it."""

    def __init__(self, out: Out, ranges: DataRanges, size_bytes: int) -> None:
        self._out = out
        self._rest: Iterator[tuple[int, int]] = iter(ranges)
        self._size_bytes = size_bytes
        self._position = 0
        #: Of the range that is being written.
        self._stop_bytes = 0

    def write(self, data: bytes, /) -> int:
        view = memoryview(data)
        while view:
            if self._position == self._stop_bytes:
                start_bytes, range_bytes = next(self._rest)
                self._fill_to(start_bytes)
                self._stop_bytes = start_bytes + range_bytes
            part = view[: self._stop_bytes - self._position]
            self._put(bytes(part))
            view = view[len(part) :]
        return len(data)

    def flush(self) -> None:
        self._fill_to(self._size_bytes)
        self._out.flush()

    def _fill_to(self, offset_bytes: int) -> None:
        for part in zeros(offset_bytes - self._position):
            self._put(part)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)
