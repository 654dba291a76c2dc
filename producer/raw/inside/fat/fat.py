"""Reads FAT (12, 16 and 32 bit, with long names) in an image, by the layout that its authors document."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from producer.raw.inside.entry import Node
from producer.raw.inside.fat.chains import FatLayout
from producer.raw.inside.fat.names import LongName, short_name
from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece, in_order

_READ_ONLY = 0x01
_LABEL = 0x08
_DIRECTORY = 0x10
_LONG_NAME = 0x0F
_ENTRY_BYTES = 32
#: The largest directory that the format allows.
_MOST_ENTRIES = 65536
_NANOSECONDS = 1_000_000_000


class FatReader:
    """See :class:`producer.raw.inside.entry.Reader`; a node's number is where its entry lies in the image.

    FAT has no owners and no modes: they are as if it were mounted by root.
    """

    root = 0
    shares_blocks = False

    def __init__(self, image: Path) -> None:
        self.image = ImageBytes(image)
        self._layout = FatLayout.read(self.image)

    def node(self, number: int) -> Node:
        entry = self._entry(number)
        is_directory = bool(entry[11] & _DIRECTORY)
        mode = 0o040755 if is_directory else 0o100444 if entry[11] & _READ_ONLY else 0o100644
        return Node(
            identity=self._first_cluster(number) if is_directory else number,
            mode=mode,
            uid=0,
            gid=0,
            size_bytes=0 if is_directory else int.from_bytes(entry[28:32], "little"),
            links_count=1,
            accessed_ns=_time_ns(entry[22:26]),
            modified_ns=_time_ns(entry[22:26]),
        )

    def names(self, number: int) -> Iterator[tuple[bytes, int]]:
        long_name = LongName()
        for position in itertools.islice(self._positions(number), _MOST_ENTRIES):
            entry = self.image.read(position, _ENTRY_BYTES)
            if entry[0] == 0:
                return
            if entry[0] == 0xE5:
                long_name = LongName()
            elif entry[11] & 0x3F == _LONG_NAME:
                long_name.add(entry)
            else:
                if not entry[11] & _LABEL and entry[:11] not in (b".          ", b"..         "):
                    yield long_name.of(entry) or short_name(entry), position
                long_name = LongName()

    def pieces(self, number: int) -> Iterator[Piece]:
        size_bytes = self.node(number).size_bytes
        chain = self._layout.pieces(self._first_cluster(number), self.image) if size_bytes else ()
        position = 0
        for piece in in_order(chain, self.image, size_bytes):
            position = piece.end_bytes
            yield piece
        if position != size_bytes:
            raise DamagedError(f"only {position} of its {size_bytes} bytes are present")

    def small_content(self, number: int) -> bytes | None:
        return None

    def link_target(self, number: int) -> bytes:
        raise DamagedError("FAT has no links")

    def _positions(self, number: int) -> Iterator[int]:
        """Where the entries of a directory lie."""
        if number == self.root and self._layout.root_bytes:
            pieces: Iterator[Piece] = iter([Piece(0, self._layout.root_start_bytes, self._layout.root_bytes)])
        else:
            pieces = self._layout.pieces(self._first_cluster(number), self.image)
        for piece in pieces:
            yield from range(piece.image_start_bytes, piece.image_start_bytes + piece.size_bytes, _ENTRY_BYTES)

    def _first_cluster(self, number: int) -> int:
        entry = self._entry(number)
        high = entry[20:22] if self._layout.bits == 32 else b"\0\0"
        return int.from_bytes(entry[26:28] + high, "little")

    def _entry(self, number: int) -> bytes:
        if number != self.root:
            return self.image.read(number, _ENTRY_BYTES)
        first = self._layout.root_cluster.to_bytes(4, "little")
        return bytes(11) + bytes([_DIRECTORY]) + bytes(8) + first[2:] + bytes(4) + first[:2] + bytes(4)


def _time_ns(stamp: bytes) -> int:
    """A time, and behind it a date, of FAT; it counts as of this host's zone."""
    clock, date = int.from_bytes(stamp[:2], "little"), int.from_bytes(stamp[2:], "little")
    day = (1980 + (date >> 9), max(1, date >> 5 & 15), max(1, date & 31))
    return int(time.mktime((*day, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, 0, 0, -1))) * _NANOSECONDS
