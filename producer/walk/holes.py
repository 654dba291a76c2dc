"""Asks the file system where a file has holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress

from producer.listing.data_ranges import MAX_RANGES, without_smallest_holes
from producer.walk.sizes import BLOCK_BYTES

#: Of smaller files the holes are read and stored as zeros.
_MIN_FILE_BYTES = 64 * 1024

#: The rest of a file with more ranges counts as data: asking takes a microsecond for each.
_MAX_ASKED_COUNT = 64 * 1024

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

#: Offset and size of each.
Ranges = list[tuple[int, int]]


def may_have_holes(letter: str, size_bytes: int, blocks_count: int) -> bool:
    """Whether it is worth asking: a file with fewer blocks than bytes.

    A file system that compresses has such files too, without holes.  Space that was reserved and never written has
    blocks, and is read.
    """
    return size_bytes >= _MIN_FILE_BYTES and letter == "f" and blocks_count * BLOCK_BYTES < size_bytes


def data_ranges_at(name: str, folder: int | None, size_bytes: int) -> Ranges:
    """Where the file ``name`` in the open directory ``folder`` has data; one range where nobody can tell.

    A file with very many holes loses the smallest ones.
    """
    with suppress(OSError):
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
        try:
            return without_smallest_holes(list(_ranges(descriptor, size_bytes)), MAX_RANGES)
        finally:
            os.close(descriptor)
    return [(0, size_bytes)]


def _ranges(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    stop = 0
    for _ in range(_MAX_ASKED_COUNT):
        try:
            start = os.lseek(descriptor, stop, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if start >= size_bytes:
            return
        stop = min(size_bytes, os.lseek(descriptor, start, os.SEEK_HOLE))
        yield start, stop - start
        if stop == size_bytes:
            return
    yield stop, size_bytes - stop
