"""Troubles parts: what is missing from the snapshot, or differs from what was listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from producer.listing.frames import PART_BYTES, compress_lines, decode_line, decompress_lines, encode_line


class ManifestTrouble(Struct, frozen=True, kw_only=True):
    """One entry in trouble.  ``entry`` is its index, or -1 for what the walk could not even list.

    ``path`` is for people: the path in the snapshot, or the absolute path for what was not listed.
    """

    entry: Annotated[int, Meta(ge=-1)]
    path: str
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    message: str


def encode_troubles(rows: Iterable[ManifestTrouble]) -> Iterator[bytes]:
    """The rows, one a line, as parts of a few MiB at most.  No rows give no part."""
    lines: list[bytes] = []
    lines_bytes = 0
    for row in rows:
        lines.append(encode_line(row))
        lines_bytes += len(lines[-1])
        if lines_bytes > PART_BYTES:
            yield compress_lines(lines)
            lines, lines_bytes = [], 0
    if lines:
        yield compress_lines(lines)


def decode_troubles(data: bytes) -> list[ManifestTrouble]:
    """The rows of one part; raises DamagedError on anything that is not a sound part."""
    return [decode_line(line, ManifestTrouble) for line in decompress_lines(data)]
