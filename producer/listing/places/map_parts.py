"""Map parts: the places of a file that lies in many, by ranges of the file.

They are named by their content, as tree parts are, and shared by snapshots: a change in a disk image changes the map of
one range, and the tree part that names it.  docs/manifest.md specifies them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from blake3 import blake3
from msgspec import Struct

from producer.listing.frames import decode_line, decompress_lines, encode_line
from producer.listing.places.places import Piece
from tasks.digests import CELL_BYTES
from tasks.errors import DamagedError
from tasks.values import HexId

#: A file with more places has maps.
MAX_INLINE_COUNT = 64

#: The data that one map speaks of at most: 16 GiB.
_MAP_BYTES = 4096 * CELL_BYTES
#: And how many places: small segments make many.
_MAX_PIECES_COUNT = 8192


class MapHead(Struct, frozen=True):
    """The first line, as that of a tree part."""

    segment_ids: list[HexId]


class _Pieces(Struct, frozen=True):
    pieces: list[Piece]


def map_lines(pieces: Sequence[Piece], segment_ids: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
    """The lines of each map of one file, whose pieces ascend and refer to ``segment_ids``."""
    for part in _parts(pieces):
        numbers: dict[int, int] = {}
        own = [(offset, size, numbers.setdefault(of, len(numbers)), stream) for offset, size, of, stream in part]
        head = MapHead(segment_ids=[segment_ids[number] for number in numbers])
        yield encode_line(head), encode_line(_Pieces(pieces=own))


def digest_of(lines: Sequence[bytes]) -> bytes:
    """What names a part: the BLAKE3 of its lines before compression."""
    return blake3(b"\n".join([*lines, b""])).digest()


def lines_of(data: bytes, digest: bytes | None) -> list[bytes]:
    """The lines of a part as it is stored; raises DamagedError unless they have this digest, if one is given."""
    lines = decompress_lines(data)
    if digest is not None and digest_of(lines) != digest:
        raise DamagedError(f"tree part {digest.hex()}: what is stored under its name is another one")
    return lines


def pieces_of(data: bytes, numbers: dict[str, int], digest: bytes | None = None) -> list[Piece]:
    """The pieces in a map, referring to ``numbers`` (segment id → place in a list), which grows.

    Raises DamagedError on anything that is not a sound map, or not that of ``digest``.
    """
    lines = lines_of(data, digest)
    if len(lines) != 2:
        raise DamagedError("map part: it has not two lines")
    segment_ids, pieces = decode_line(lines[0], MapHead).segment_ids, decode_line(lines[1], _Pieces).pieces
    if any(piece[2] >= len(segment_ids) for piece in pieces):
        raise DamagedError("map part: a place names no segment")
    of = [numbers.setdefault(segment_id, len(numbers)) for segment_id in segment_ids]
    return [(offset, size, of[number], stream) for offset, size, number, stream in pieces]


def _parts(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Cut where a multiple of the range begins, so that the same range always gives the same map."""
    part: list[Piece] = []
    for piece in _within_ranges(pieces):
        if part and (piece[0] // _MAP_BYTES != part[0][0] // _MAP_BYTES or len(part) >= _MAX_PIECES_COUNT):
            yield part
            part = []
        part.append(piece)
    if part:
        yield part


def _within_ranges(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces, cut at multiples of the range."""
    for offset, size, number, stream in pieces:
        stop = offset + size
        while offset < stop:
            end = min(stop, (offset // _MAP_BYTES + 1) * _MAP_BYTES)
            yield offset, end - offset, number, stream
            stream += end - offset
            offset = end


def large(pieces: Mapping[str, Sequence[Piece]]) -> list[str]:
    """The names of files that have maps."""
    return [name for name, found in pieces.items() if len(found) > MAX_INLINE_COUNT]
