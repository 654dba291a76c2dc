"""Reads a range with bad blocks: everything readable is read, and the rest is reported."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from tasks.receipts import FileState

#: After a failed read, its range is read again in these steps.  The smallest is the sector size of today's disks; a
#: disk takes seconds for each try of a bad sector, so the steps in between keep the number of tries low.
_STEPS_BYTES = (1024 * 1024, 64 * 1024, 4096)

#: What reading a bad block fails with: plain error, checksum of the medium, media error of NVMe, remote I/O.
_BAD_BLOCK = frozenset({errno.EIO, errno.EILSEQ, errno.ENODATA, errno.EREMOTEIO})


class BadRange(NamedTuple):
    """[start, stop) of the raw volume could not be read."""

    start: int
    stop: int
    why: str


class OpenRawVolume(Protocol):
    """A raw volume that is open for reading."""

    def read_into(self, buffer: memoryview, offset_bytes: int) -> int:
        """Read up to ``len(buffer)`` bytes; 0 at the end of the raw volume.  Raises OSError."""

    def was_changed(self) -> bool:
        """Whether the raw volume is known to have been written since it was opened."""

    def file_state(self) -> FileState | None:
        """The image file as it is now; None for a block device, which has no time of change."""

    def close(self) -> None: ...


def read_around_bad_blocks(reader: OpenRawVolume, buffer: memoryview, offset_bytes: int) -> Iterator[BadRange]:
    """Fill ``buffer`` from ``offset_bytes``; yields the ranges that cannot be read, whose bytes are undefined.

    Neighbouring ranges with the same reason are joined.  Raises OSError when the failure is not that of a bad block.
    """
    pending: BadRange | None = None
    for bad in _bad_ranges(reader, buffer, offset_bytes, _STEPS_BYTES):
        if pending is not None and pending.stop == bad.start and pending.why == bad.why:
            pending = pending._replace(stop=bad.stop)
            continue
        if pending is not None:
            yield pending
        pending = bad
    if pending is not None:
        yield pending


def _bad_ranges(
    reader: OpenRawVolume, buffer: memoryview, offset_bytes: int, steps: tuple[int, ...]
) -> Iterator[BadRange]:
    done_bytes = 0
    while done_bytes < len(buffer):
        try:
            count = reader.read_into(buffer[done_bytes:], offset_bytes + done_bytes)
        except OSError as error:
            if error.errno not in _BAD_BLOCK:
                raise
            yield from _smaller(reader, buffer[done_bytes:], offset_bytes + done_bytes, steps, error)
            return
        if not count:
            yield BadRange(offset_bytes + done_bytes, offset_bytes + len(buffer), "the raw volume ends before them")
            return
        done_bytes += count


def _smaller(
    reader: OpenRawVolume, buffer: memoryview, offset_bytes: int, steps: tuple[int, ...], error: OSError
) -> Iterator[BadRange]:
    """Try the range in steps of the next smaller size."""
    steps = tuple(step for step in steps if step < len(buffer))
    if not steps:
        yield BadRange(offset_bytes, offset_bytes + len(buffer), os.strerror(error.errno or errno.EIO))
        return
    start = 0
    while start < len(buffer):
        # Aligned in the raw volume, so that one bad sector never costs two steps.
        stop = min(len(buffer), start + steps[0] - (offset_bytes + start) % steps[0])
        yield from _bad_ranges(reader, buffer[start:stop], offset_bytes + start, steps[1:])
        start = stop
