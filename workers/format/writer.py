"""Writes a segment from front to back."""

from __future__ import annotations

from collections.abc import Callable

from blake3 import blake3

from tasks.receipts import ExtentNote, FileState
from workers.format.envelope import digest_of
from workers.format.header import SegmentHeader, encode_header
from workers.format.seek_table import Frame, encode_seek_table
from workers.format.trailer import SegmentTrailer, encode_trailer, has_digests_of


class SegmentWriter:
    """Writes header, units, trailer and seek table through ``write``, which must take all it is given.

    The header is written at once.  Frames are passed on and not kept.  What ``write`` raises passes
    through; the segment is then unfinished, and so is the writer.  Use from one thread.
    """

    def __init__(self, header: SegmentHeader, write: Callable[[bytes | memoryview], object]) -> None:
        """Raises ValueError, before anything is written, when ``header`` could not be read back."""
        self._write = write
        self._extents = header.extents
        self._unit_sizes_bytes = header.unit_sizes_bytes()
        self._frames: list[Frame] = []
        self._digests: list[bytes] = []
        frame = encode_header(header)
        self._header_digest = digest_of(frame)
        self.trailer_digest = b""
        self._put(frame, 0)

    def add_unit(self, frame: bytes, size_bytes: int, digest: bytes | None = None) -> None:
        """Write the next unit of the stream: a complete zstd frame that holds ``size_bytes``.

        ``digest`` is the BLAKE3 of ``frame``, when another thread has made it already.  Raises
        ValueError when the unit is not as long as the header says that it must be.
        """
        index = len(self._digests)
        if index >= len(self._unit_sizes_bytes) or size_bytes != self._unit_sizes_bytes[index]:
            raise ValueError(f"unit {index} of {size_bytes} bytes does not fit the header")
        self._put(frame, size_bytes)
        self._digests.append(digest or blake3(frame).digest())

    def finish(
        self,
        *,
        notes: tuple[ExtentNote, ...],
        file_state: FileState | None,
        extent_digests: bytes,
        cell_digests: bytes,
    ) -> int:
        """Write trailer and seek table; the size of the whole segment.  Syncing is up to the caller.

        Afterwards ``trailer_digest`` stands for the whole segment.  Raises ValueError when units or digests are
        missing.
        """
        if len(self._digests) != len(self._unit_sizes_bytes):
            raise ValueError(f"{len(self._digests)} of {len(self._unit_sizes_bytes)} units were added")
        if not has_digests_of(self._extents, extent_digests, cell_digests):
            raise ValueError("there are not as many digests as extents and cells")
        units = self._frames[1:]
        trailer = SegmentTrailer(
            notes=notes,
            file_state=file_state,
            header_digest=self._header_digest,
            unit_sizes_bytes=tuple(unit.size_bytes for unit in units),
            unit_stored_bytes=tuple(unit.stored_bytes for unit in units),
            unit_digests=tuple(self._digests),
            extent_digests=extent_digests,
            cell_digests=cell_digests,
        )
        frame = encode_trailer(trailer)
        self.trailer_digest = digest_of(frame)
        self._put(frame, 0)
        table = encode_seek_table(self._frames)
        self._write(table)
        return sum(frame.stored_bytes for frame in self._frames) + len(table)

    def _put(self, frame: bytes, size_bytes: int) -> None:
        self._write(frame)
        self._frames.append(Frame(stored_bytes=len(frame), size_bytes=size_bytes))
