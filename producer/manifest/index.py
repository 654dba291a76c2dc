"""Index parts: which object on which device holds which ranges of each segment, and what proves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from producer.listing.frames import PART_BYTES, compress_lines, decode_line, decompress_lines, encode_line
from producer.listing.places.stored_cells import CellColumns
from tasks.digests import DIGEST_BYTES
from tasks.errors import DamagedError
from tasks.values import Count, Digest, HexId

#: Bounds of one line: 400 kB of rows, and some 1 MB of digests.
ROWS_A_LINE = 4096
DIGESTS_A_LINE = 16_384


class IndexRow(Struct, frozen=True, kw_only=True):
    """One stored object.  ``device`` is the place of its device in the head's ``devices``, from 0."""

    object_id: str
    segment_id: str
    device: int
    #: Of its own stream.
    size_bytes: int
    bytes_stored: int
    #: The digest in its trailer.
    trailer_digest: str
    #: Which ranges of the segment's stream its own consists of, (offset, size) each; empty: all of it, in one.
    ranges: tuple[tuple[int, int], ...] = ()
    #: What its segment holds, in one of the segment's rows.
    cells: CellColumns | None = None


class _Cells(Struct, frozen=True, kw_only=True):
    sizes_bytes: list[Count]
    #: In base64.
    digests: bytes


class _Line(Struct, frozen=True, kw_only=True):
    """Rows as columns: as they stand in one line of a part.  What few rows have is by object id."""

    object_ids: list[HexId]
    segment_ids: list[HexId]
    devices: list[Count]
    sizes_bytes: list[Count]
    bytes_stored: list[Count]
    trailer_digests: list[Digest]
    ranges: dict[str, list[tuple[Count, Count]]] = field(default_factory=dict)
    #: By segment id.
    cells: dict[str, _Cells] = field(default_factory=dict)


def encode_index(rows: Iterable[IndexRow]) -> Iterator[bytes]:
    """The rows, in their order, as parts of a few MiB at most.  No rows give no part."""
    lines: list[bytes] = []
    for chunk in _chunks(rows):
        lines.append(encode_line(_line_of(chunk)))
        if sum(map(len, lines)) > PART_BYTES:
            yield compress_lines(lines)
            lines = []
    if lines:
        yield compress_lines(lines)


def _chunks(rows: Iterable[IndexRow]) -> Iterator[list[IndexRow]]:
    chunk: list[IndexRow] = []
    digests_count = 0
    for row in rows:
        chunk.append(row)
        digests_count += len(row.cells.sizes_bytes) if row.cells is not None else 0
        if len(chunk) == ROWS_A_LINE or digests_count >= DIGESTS_A_LINE:
            yield chunk
            chunk, digests_count = [], 0
    if chunk:
        yield chunk


def decode_index(data: bytes) -> list[IndexRow]:
    """The rows of one part; raises DamagedError on anything that is not a sound part."""
    rows: list[IndexRow] = []
    for text in decompress_lines(data):
        rows += _rows_of(decode_line(text, _Line))
    return rows


def _line_of(rows: list[IndexRow]) -> _Line:
    return _Line(
        object_ids=[row.object_id for row in rows],
        segment_ids=[row.segment_id for row in rows],
        devices=[row.device for row in rows],
        sizes_bytes=[row.size_bytes for row in rows],
        bytes_stored=[row.bytes_stored for row in rows],
        trailer_digests=[row.trailer_digest for row in rows],
        ranges={row.object_id: list(row.ranges) for row in rows if row.ranges},
        cells={
            row.segment_id: _Cells(sizes_bytes=list(row.cells.sizes_bytes), digests=row.cells.digests)
            for row in rows
            if row.cells is not None
        },
    )


def _rows_of(line: _Line) -> Iterator[IndexRow]:
    columns = (
        line.object_ids,
        line.segment_ids,
        line.devices,
        line.sizes_bytes,
        line.bytes_stored,
        line.trailer_digests,
    )
    if len({len(column) for column in columns}) != 1:
        raise DamagedError("index part: columns differ in length")
    cells = {segment_id: _columns(found) for segment_id, found in line.cells.items()}
    for object_id, segment_id, device, size_bytes, stored, digest in zip(*columns, strict=True):
        yield IndexRow(
            object_id=object_id,
            segment_id=segment_id,
            device=device,
            size_bytes=size_bytes,
            bytes_stored=stored,
            trailer_digest=digest,
            ranges=tuple(line.ranges.get(object_id, ())),
            cells=cells.pop(segment_id, None),
        )


def _columns(found: _Cells) -> CellColumns:
    if len(found.digests) != len(found.sizes_bytes) * DIGEST_BYTES:
        raise DamagedError("index part: the cells of a segment have more or fewer digests than sizes")
    return CellColumns(found.sizes_bytes, found.digests)
