"""One piece of a raw volume as a stream: large aligned reads; unused ranges and bad blocks become zeros."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from tasks.orders import StoreSegment
from tasks.receipts import ExtentNote, FileState
from tasks.values import MAX_EXTENTS
from workers.sources.bad_blocks import BadRange, OpenRawVolume, read_around_bad_blocks
from workers.sources.content import ContentDigests
from workers.sources.direct import raw_volume_error

_ZEROS = bytes(1024 * 1024)

#: More notes than this say nothing new.
_MAX_NOTES = min(1000, MAX_EXTENTS)

#: The raw volume as a whole is gone, so smaller reads would not help.
_GONE = frozenset({errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM, errno.ENOENT})


class RawStream:
    """Reads the one extent of ``order``; ``notes`` and ``digests`` are complete once all was read.

    Closes the reader in the end; ``where`` names it in errors.  For one thread at a time.  Raises SourceError
    when the raw volume goes away.
    """

    def __init__(self, order: StoreSegment, reader: OpenRawVolume, *, where: str) -> None:
        assert order.raw is not None
        self.notes: list[ExtentNote] = []
        self.digests = ContentDigests(order.extents)
        #: Of an image file: two of its pieces must agree.
        self.file_state: FileState | None = None
        self._where = where
        self._reader = reader
        self._at_bytes = order.extents.offsets_bytes[0]
        self._size_bytes = order.extents.sizes_bytes[0]
        self._stop_bytes = self._at_bytes + self._size_bytes
        self._unused = list(zip(order.raw.unused_offsets_bytes, order.raw.unused_sizes_bytes, strict=True))

    def __enter__(self) -> RawStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._reader.close()

    def fill(self, buffer: memoryview) -> int:
        """Write the next bytes of the piece to ``buffer``; returns how many, fewer only at the end."""
        size_bytes = min(len(buffer), self._stop_bytes - self._at_bytes)
        for start, stop, is_unused in self._parts(self._at_bytes, self._at_bytes + size_bytes):
            part = buffer[start - self._at_bytes : stop - self._at_bytes]
            if is_unused:
                _make_zeros(part)
            else:
                self._read(part, start)
        self.digests.add(buffer[:size_bytes])
        self._at_bytes += size_bytes
        if self._at_bytes == self._stop_bytes:
            self.digests.end_extent()
            self._look_again()
        return size_bytes

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
                self._note(bad)
        except OSError as error:
            raise raw_volume_error(self._where, error) from error

    def _note(self, bad: BadRange) -> None:
        if len(self.notes) < _MAX_NOTES:
            message = f"bytes {bad.start} to {bad.stop} are zeros in the backup: {bad.why}"
            note = ExtentNote(index=0, trouble="bad-blocks", read_bytes=self._size_bytes, message=message)
            self.notes.append(note)

    def _look_again(self) -> None:
        """Notes an image file that was written meanwhile; a block device has no time of change."""
        self.file_state = self._reader.file_state()
        if self._reader.was_changed():
            self.notes.append(
                ExtentNote(
                    index=0, trouble="changed", read_bytes=self._size_bytes, message="was written while it was read"
                )
            )


def _make_zeros(part: memoryview) -> None:
    for start in range(0, len(part), len(_ZEROS)):
        piece = part[start : start + len(_ZEROS)]
        piece[:] = _ZEROS[: len(piece)]
