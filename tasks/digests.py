"""Digests of content: what tells, without reading what is stored, whether a file still holds it.

The digest of a range of a file or raw volume: the range is cut at multiples of :data:`CELL_BYTES` of the *file's*
offsets, and of one such cell it is the BLAKE3 of the content; of several cells it is the BLAKE3 of their digests, one
after the other.  So it does not depend on the segment that holds the range, every byte is hashed once, and the
digests of cells are enough to compare any range of whole cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from blake3 import blake3
from msgspec import Meta

from tasks.values import MAX_EXTENTS, Extents

#: A sixth of the usual unit: a changed byte costs 4 MiB, and the digests of 1 TiB take 4 MiB.
CELL_BYTES = 4 * 1024 * 1024

#: 128 bits of BLAKE3: nobody finds two files with the same.
DIGEST_BYTES = 16

#: In the place of a digest where nothing was read, or nothing is known.
NO_DIGEST = bytes(DIGEST_BYTES)

#: Cells of one segment: 256 GiB of it.
MAX_CELLS = MAX_EXTENTS

#: Digests, one after the other; they travel in base64.
Digests = Annotated[bytes, Meta(max_length=MAX_EXTENTS * DIGEST_BYTES)]


def content_digest(data: bytes | memoryview) -> bytes:
    """The digest of a range of one cell.  Releases the GIL."""
    return blake3(data).digest()[:DIGEST_BYTES]


def range_digest(cell_digests: bytes) -> bytes:
    """The digest of the range that consists of cells with these digests; NO_DIGEST for none."""
    if len(cell_digests) <= DIGEST_BYTES:
        return cell_digests or NO_DIGEST
    return content_digest(cell_digests)


def cells_count(offset_bytes: int, size_bytes: int) -> int:
    """How many cells the range is cut into."""
    return -(-(offset_bytes + size_bytes) // CELL_BYTES) - offset_bytes // CELL_BYTES if size_bytes else 0


def cells_of(offset_bytes: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of each cell of the range."""
    stop_bytes = offset_bytes + size_bytes
    while offset_bytes < stop_bytes:
        next_bytes = min(stop_bytes, (offset_bytes // CELL_BYTES + 1) * CELL_BYTES)
        yield offset_bytes, next_bytes - offset_bytes
        offset_bytes = next_bytes


def listed_cells_count(extents: Extents) -> int:
    """The cells of all extents that have more than one: of the others the extent's digest is the cell's."""
    counts = map(cells_count, extents.offsets_bytes, extents.sizes_bytes)
    return sum(count for count in counts if count > 1)


def split_digests(digests: bytes) -> Iterator[bytes]:
    """One by one."""
    return (digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES))


def known_places(digests: bytes) -> list[int]:
    """The extents, by index, of which the digest is known."""
    return [place for place, digest in enumerate(split_digests(digests)) if digest != NO_DIGEST]


def check_whole(columns: Iterable[bytes]) -> None:
    """Raises ValueError for a column that does not consist of whole digests."""
    if any(len(column) % DIGEST_BYTES for column in columns):
        raise ValueError(f"a column of digests is not a multiple of {DIGEST_BYTES} bytes long")
