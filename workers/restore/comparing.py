"""Carries out the order to compare restored files with what a segment holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tasks.digests import content_digest
from tasks.errors import DamagedError
from tasks.orders import KEEP_OTHERS, RestoreSegment
from tasks.receipts import PathTrouble, RestoreResult
from tasks.sources.mtimes import is_same_time
from workers.devices.base import Device
from workers.progress import OrderProgress
from workers.restore.known_content import KnownContent
from workers.restore.opening import open_object, reader_of
from workers.restore.slices import Slice
from workers.restore.units_ahead import decoded_units
from workers.target.content.restored_file import open_restored, read_range, sync_file_system
from workers.target.folders import Folders
from workers.target.troubles import PATH_ERRORS, trouble_at


def compare_segment(
    order: RestoreSegment,
    *,
    device: Device,
    target_root: Path,
    progress: OrderProgress,
    before_read: Callable[[], None] = lambda: None,
) -> RestoreResult:
    """Read what the order restored from the disk again, and report each range that is not what was stored.

    By the digests in the segment's trailer; units are read only where those do not tell.  Raises DeviceError when the
    device cannot be read, DamagedError when the segment is missing or not the one that was stored.
    """
    with Folders(target_root) as folders, open_object(order.object_id, device) as stored:
        sync_file_system(folders, progress.beat)
        reader = reader_of(stored, order.object_id, order.trailer_digest, unproved=order.unproved)
        comparison = _Comparison(order, folders, progress, before_read)
        try:
            unknown = comparison.by_digests(KnownContent(reader))
            with closing(decoded_units(order, reader, unknown)) as units:
                for slices, decoded in units:
                    try:
                        comparison.by_content(slices, decoded.result())
                    except DamagedError as error:
                        comparison.lose(slices, error)
        finally:
            comparison.close()
        return comparison.result()


class _Comparison:
    def __init__(
        self, order: RestoreSegment, folders: Folders, progress: OrderProgress, before_read: Callable[[], None]
    ) -> None:
        self._order = order
        self._folders = folders
        self._progress = progress
        self._before_read = before_read
        self._troubles: dict[int, PathTrouble] = {}
        self._compared: set[int] = set()
        #: The extent in hand, and its file.
        self._open: tuple[int, int] | None = None
        self._bytes_count = 0

    def by_digests(self, known: KnownContent) -> list[int]:
        """Compare what digests tell; returns the extents of which some do not."""
        return [index for index in range(len(self._order.paths)) if not self._is_done(index, known)]

    def by_content(self, slices: Sequence[Slice], data: bytes) -> None:
        """Compare the slices of a unit, whose bytes are ``data``."""
        for part in slices:
            offset_bytes = self._order.offsets_bytes[part.extent] + part.extent_start
            size_bytes = part.stop - part.start
            with self._reported(part.extent):
                descriptor = self._file_of(part.extent)
                if descriptor is not None:
                    found = read_range(descriptor, offset_bytes, size_bytes)
                    self._note(part.extent, offset_bytes, found, found == memoryview(data)[part.start : part.stop])

    def lose(self, slices: Sequence[Slice], error: DamagedError) -> None:
        for part in slices:
            self._trouble(part.extent, error.code, f"cannot be compared: {error.message}")

    def result(self) -> RestoreResult:
        good = self._compared - self._troubles.keys()
        return RestoreResult(
            files_count=0,
            bytes_restored=0,
            skipped_count=0,
            troubles=tuple(self._troubles.values()),
            verified_files_count=sum(bool(self._order.metadata[index]) for index in good),
            verified_bytes=self._bytes_count,
        )

    def close(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _is_done(self, index: int, known: KnownContent) -> bool:
        """Compare an extent by digests if there are enough of them, or find that it is not to be compared."""
        self._before_read()
        order = self._order
        with self._reported(index):
            descriptor = self._file_of(index)
            if descriptor is None:
                return True
            cells = list(
                known.cells(order.stream_offsets_bytes[index], order.offsets_bytes[index], order.sizes_bytes[index])
            )
            if any(cell.digest is None for cell in cells):
                return False
            for cell in cells:
                found = read_range(descriptor, cell.offset_bytes, cell.size_bytes)
                self._note(index, cell.offset_bytes, found, content_digest(found) == cell.digest)
        return True

    @contextmanager
    def _reported(self, index: int) -> Iterator[None]:
        try:
            yield
        except PATH_ERRORS as error:
            trouble = trouble_at(self._order.paths[index], error)
            self._trouble(index, "differs", f"cannot be read back: {trouble.message}")

    def _file_of(self, index: int) -> int | None:
        """The file of an extent, open; None for one that ``overwrite`` has kept, or that is none of the right size."""
        if self._open is not None and self._open[0] == index:
            return self._open[1]
        self.close()
        order, row = self._order, self._order.metadata[index]
        descriptor = open_restored(self._folders, order.paths[index])
        self._open = (index, descriptor)
        found = os.fstat(descriptor)
        is_whole = stat.S_ISREG(found.st_mode) and (not row or found.st_size == order.sizes_bytes[index])
        if row and order.overwrite in KEEP_OTHERS and not (is_whole and is_same_time(row[3], found.st_mtime_ns)):
            return None
        if not is_whole:
            self._trouble(index, "differs", "it is not of the size that the snapshot has")
            return None
        self._compared.add(index)
        return descriptor

    def _note(self, index: int, offset_bytes: int, found: bytes, is_same: bool) -> None:
        self._progress.add(len(found))
        if is_same:
            self._bytes_count += len(found)
        else:
            self._trouble(index, "differs", f"from byte {offset_bytes} on it is not what was restored")

    def _trouble(self, index: int, code: str, message: str) -> None:
        """The first one of an extent; of size 0, for nothing is lost, and the file stays."""
        order = self._order
        row = PathTrouble(
            path=order.paths[index], offset_bytes=order.offsets_bytes[index], size_bytes=0, code=code, message=message
        )
        self._troubles.setdefault(index, row)
