"""Segments parts: where each segment of a snapshot is stored, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from producer.listing.frames import PART_BYTES, compress_lines, decode_line, decompress_lines, encode_line
from tasks.digests import DIGEST_BYTES
from tasks.errors import DamagedError
from tasks.receipts import ExtentNote
from tasks.values import Count, Digest, HexId

#: Bounds of one line: 400 kB of rows, and some 2 MB of notes (one segment may have 65,536, and they stay together).
ROWS_A_LINE = 4096
NOTES_A_LINE = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestSegment:
    """One stored segment: its planned columns, and what its receipt said.

    ``device`` is the place of its device in the head's ``devices``, from 0.
    """

    number: int
    segment_id: str
    device: int
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int
    bytes_stored: int
    #: The digest in the segment's trailer.
    trailer_digest: str
    notes: tuple[ExtentNote, ...] = ()
    #: Where in the segment's stream the range begins: not 0 for a range of a raw volume that a segment of an earlier
    #: snapshot holds.
    stream_offset_bytes: int = 0
    #: Of a piece of a file or raw volume that has more than one cell: the digests of its cells (:mod:`tasks.digests`).
    cell_digests: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """Rows as columns: as they stand in one line of a part.  What few rows have is by segment number."""

    numbers: list[Count]
    segment_ids: list[HexId]
    devices: list[Count]
    first_entries: list[Count]
    stop_entries: list[Count]
    offsets_bytes: list[Count]
    sizes_bytes: list[Count]
    bytes_stored: list[Count]
    trailer_digests: list[Digest]
    notes: dict[str, tuple[ExtentNote, ...]]
    stream_offsets_bytes: dict[str, Count] = field(default_factory=dict)
    #: In base64.
    cell_digests: dict[str, bytes] = field(default_factory=dict)


def encode_segments(rows: Iterable[ManifestSegment]) -> Iterator[bytes]:
    """The rows, in their order, as parts of a few MiB at most.  No rows give no part."""
    lines: list[bytes] = []
    for chunk in _chunks(rows):
        lines.append(encode_line(_line_of(chunk)))
        if sum(map(len, lines)) > PART_BYTES:
            yield compress_lines(lines)
            lines = []
    if lines:
        yield compress_lines(lines)


def _chunks(rows: Iterable[ManifestSegment]) -> Iterator[list[ManifestSegment]]:
    chunk: list[ManifestSegment] = []
    notes_count = 0
    for row in rows:
        chunk.append(row)
        # A digest takes some 22 bytes, less than a note without its message does.
        notes_count += len(row.notes) + len(row.cell_digests) // DIGEST_BYTES
        if len(chunk) == ROWS_A_LINE or notes_count >= NOTES_A_LINE:
            yield chunk
            chunk, notes_count = [], 0
    if chunk:
        yield chunk


def decode_segments(data: bytes) -> list[ManifestSegment]:
    """The rows of one part; raises DamagedError on anything that is not a sound part."""
    rows: list[ManifestSegment] = []
    for text in decompress_lines(data):
        rows += _rows_of(decode_line(text, _Line))
    return rows


def _line_of(rows: list[ManifestSegment]) -> _Line:
    return _Line(
        numbers=[row.number for row in rows],
        segment_ids=[row.segment_id for row in rows],
        devices=[row.device for row in rows],
        first_entries=[row.first_entry for row in rows],
        stop_entries=[row.stop_entry for row in rows],
        offsets_bytes=[row.offset_bytes for row in rows],
        sizes_bytes=[row.size_bytes for row in rows],
        bytes_stored=[row.bytes_stored for row in rows],
        trailer_digests=[row.trailer_digest for row in rows],
        notes={str(row.number): row.notes for row in rows if row.notes},
        stream_offsets_bytes={str(row.number): row.stream_offset_bytes for row in rows if row.stream_offset_bytes},
        cell_digests={str(row.number): row.cell_digests for row in rows if row.cell_digests},
    )


def _rows_of(line: _Line) -> Iterator[ManifestSegment]:
    columns = (
        line.numbers,
        line.segment_ids,
        line.devices,
        line.first_entries,
        line.stop_entries,
        line.offsets_bytes,
        line.sizes_bytes,
        line.bytes_stored,
        line.trailer_digests,
    )
    if len({len(column) for column in columns}) != 1:
        raise DamagedError("segments part: columns differ in length")
    for number, segment_id, device, first_entry, stop_entry, offset_bytes, size_bytes, stored, digest in zip(
        *columns, strict=True
    ):
        if first_entry >= stop_entry:
            raise DamagedError(f"segments part: segment {number} holds no entries")
        yield ManifestSegment(
            number=number,
            segment_id=segment_id,
            device=device,
            first_entry=first_entry,
            stop_entry=stop_entry,
            offset_bytes=offset_bytes,
            size_bytes=size_bytes,
            bytes_stored=stored,
            trailer_digest=digest,
            notes=line.notes.get(str(number), ()),
            stream_offset_bytes=line.stream_offsets_bytes.get(str(number), 0),
            cell_digests=line.cell_digests.get(str(number), b""),
        )
