"""The bytes of an image that its file system may refer to, and no others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct


class DamagedError(Exception):
    """The file system in the image contradicts itself, or uses what this reader does not support; the text says how."""


class Piece(Struct, frozen=True):
    """Bytes of a file that lie together in the image; what lies between two pieces is zeros."""

    start_bytes: int
    image_start_bytes: int
    size_bytes: int

    @property
    def end_bytes(self) -> int:
        return self.start_bytes + self.size_bytes


class ImageBytes:
    """Read access to an image file."""

    def __init__(self, image: Path) -> None:
        self._file = image.open("rb", buffering=0)
        self.size_bytes = self._file.seek(0, os.SEEK_END)

    def read(self, start_bytes: int, size_bytes: int) -> bytes:
        """Exactly that many bytes; raises DamagedError where the image has none."""
        if start_bytes < 0 or size_bytes < 0 or start_bytes + size_bytes > self.size_bytes:
            raise DamagedError(f"it refers to byte {start_bytes}, where the image has none")
        found = os.pread(self._file.fileno(), size_bytes, start_bytes)
        if len(found) != size_bytes:
            raise DamagedError(f"the image cannot be read at byte {start_bytes}")
        return found


def in_order(pieces: Iterable[Piece], image: ImageBytes, end_bytes: int) -> Iterator[Piece]:
    """The pieces, cut at ``end_bytes``; raises DamagedError where no sound file could have them.

    That is: they overlap or go back, lie outside the image, or are more bytes than the image has.
    """
    position = total = 0
    for piece in pieces:
        if piece.start_bytes >= end_bytes:
            return
        size_bytes = min(piece.size_bytes, end_bytes - piece.start_bytes)
        total += size_bytes
        if piece.start_bytes < position or size_bytes <= 0:
            raise DamagedError("its blocks are not in order")
        if piece.image_start_bytes < 0 or piece.image_start_bytes + size_bytes > image.size_bytes:
            raise DamagedError("its blocks lie outside the image")
        if total > image.size_bytes:
            raise DamagedError("it has more blocks than the image")
        position = piece.end_bytes
        yield Piece(piece.start_bytes, piece.image_start_bytes, size_bytes)


def in_blocks(pieces: Iterable[Piece], image: ImageBytes, block_bytes: int) -> Iterator[bytes]:
    """The content of the pieces in blocks of ``block_bytes``, each of which must be there as a whole.

    Blocks that are holes are left out.
    """
    pending = b""
    position = 0
    for piece in pieces:
        if pending and piece.start_bytes != position:
            raise DamagedError("a block of the directory has a hole")
        for offset in range(0, piece.size_bytes, block_bytes):
            pending += image.read(piece.image_start_bytes + offset, min(block_bytes, piece.size_bytes - offset))
            while len(pending) >= block_bytes:
                yield pending[:block_bytes]
                pending = pending[block_bytes:]
        position = piece.end_bytes
    if pending:
        raise DamagedError("the directory ends in the middle of a block")
