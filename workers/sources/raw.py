"""Extents of a raw volume as a stream: large aligned reads; unused ranges and bad blocks become zeros."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from tasks.raw import RawReading
from tasks.receipts import ExtentNote, ExtentTrouble, FileState
from tasks.values import MAX_EXTENTS, Extents
from workers.sources.bad_blocks import OpenRawVolume, read_around_bad_blocks
from workers.sources.content import ContentDigests
from workers.sources.direct import raw_volume_error

_ZEROS = bytes(1024 * 1024)

#: More notes than this say nothing new.
_MAX_NOTES = min(1000, MAX_EXTENTS)

#: The raw volume as a whole is gone, so smaller reads would not help.
_GONE = frozenset({errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM, errno.ENOENT})


class RawStream:
    """Reads ``extents`` of a raw volume in order; ``notes`` and ``digests`` are complete once all was read.

    Closes the reader in the end; ``where`` names it in errors.  ``seen``: the state in which an image file was when
    other extents of it were read.  For one thread at a time.  Raises SourceError when the raw volume goes away.
    """

    def __init__(
        self,
        extents: Extents,
        reading: RawReading,
        reader: OpenRawVolume,
        *,
        where: str,
        seen: FileState | None = None,
    ) -> None:
        self.notes: list[ExtentNote] = []
        self.digests = ContentDigests(extents)
        #: Of an image file: two of its pieces must agree.
        self.file_state: FileState | None = None
        self._where = where
        self._reader = reader
        self._seen = seen
        self._sizes_bytes = extents.sizes_bytes
        self._offsets_bytes = extents.offsets_bytes
        self._index = 0
        #: Of the extent at _index.
        self._done_bytes = 0
        self._unused = list(zip(reading.unused_offsets_bytes, reading.unused_sizes_bytes, strict=True))

    def __enter__(self) -> RawStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._reader.close()

    def fill(self, buffer: memoryview) -> int:
        """Write the next bytes of the extents to ``buffer``; returns how many, fewer only at the end."""
        filled_bytes = 0
        while filled_bytes < len(buffer) and self._index < len(self._sizes_bytes):
            rest_bytes = self._sizes_bytes[self._index] - self._done_bytes
            part = buffer[filled_bytes : filled_bytes + rest_bytes]
            self._fill_part(part, self._offsets_bytes[self._index] + self._done_bytes)
            filled_bytes += len(part)
            self._done_bytes += len(part)
            if len(part) == rest_bytes:
                self._end_extent()
        return filled_bytes

    def _fill_part(self, buffer: memoryview, at_bytes: int) -> None:
        for start, stop, is_unused in self._parts(at_bytes, at_bytes + len(buffer)):
            part = buffer[start - at_bytes : stop - at_bytes]
            if is_unused:
                _make_zeros(part)
            else:
                self._read(part, start)
        self.digests.add(buffer)

    def _end_extent(self) -> None:
        self.digests.end_extent()
        if self._index == len(self._sizes_bytes) - 1:
            self._look_again()
        self._index += 1
        self._done_bytes = 0

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int, bool]]:
        """[start, stop) cut into ranges that are read, and ranges that are unused."""
        for offset, size in self._unused:
            if offset >= stop:
                break
            if offset + size <= start:
                continue
            if offset > start:
                yield start, offset, False
            end = min(stop, offset + size)
            yield max(start, offset), end, True
            start = end
        if start < stop:
            yield start, stop, False

    def _read(self, part: memoryview, offset_bytes: int) -> None:
        try:
            for bad in read_around_bad_blocks(self._reader, part, offset_bytes):
                lost = part[bad.start - offset_bytes : bad.stop - offset_bytes]
                _make_zeros(lost)
                self._note("bad-blocks", f"bytes {bad.start} to {bad.stop} are zeros in the backup: {bad.why}")
        except OSError as error:
            raise raw_volume_error(self._where, error) from error

    def _note(self, trouble: ExtentTrouble, message: str) -> None:
        if len(self.notes) < _MAX_NOTES:
            size_bytes = self._sizes_bytes[self._index]
            self.notes.append(ExtentNote(index=self._index, trouble=trouble, read_bytes=size_bytes, message=message))

    def _look_again(self) -> None:
        """Notes an image file that was written meanwhile; a block device has no time of change."""
        self.file_state = self._reader.file_state()
        if self._reader.was_changed():
            self._note("changed", "was written while it was read")
        elif self._seen not in (None, self.file_state):
            self._note("changed", "was written while parts of it were read")


def _make_zeros(part: memoryview) -> None:
    for start in range(0, len(part), len(_ZEROS)):
        piece = part[start : start + len(_ZEROS)]
        piece[:] = _ZEROS[: len(piece)]
