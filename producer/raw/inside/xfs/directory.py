"""The names in directories of XFS."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from producer.raw.inside.image_bytes import DamagedError
from producer.raw.inside.xfs.layout import XfsLayout

#: Blocks that hold names: alone in their directory (with an index at the end), or among others.
_ALONE = (b"XD2B", b"XDB3")
_AMONG_OTHERS = (b"XD2D", b"XDD3")
_UNUSED = 0xFFFF


def entries_of_inode(fork: bytes, layout: XfsLayout) -> Iterator[tuple[bytes, int]]:
    """Those of a small directory, which are in its inode."""
    if len(fork) < 10:
        raise DamagedError("the directory is cut off")
    number_bytes = 8 if fork[1] else 4
    position = 2 + number_bytes
    for _ in range(fork[1] or fork[0]):
        if position + 3 > len(fork):
            raise DamagedError("the directory is cut off")
        name = fork[position + 3 : position + 3 + fork[position]]
        position += 3 + fork[position] + layout.has_types_in_names
        number = fork[position : position + number_bytes]
        position += number_bytes
        if len(number) < number_bytes or not name:
            raise DamagedError("the directory is cut off")
        yield name, int.from_bytes(number, "big")


def entries_of_block(block: bytes, layout: XfsLayout) -> Iterator[tuple[bytes, int]]:
    """Those of one block of a larger directory."""
    position, end = 64 if layout.has_checksums else 16, len(block)
    if block[:4] in _ALONE:
        end -= 8 + 8 * int.from_bytes(block[-8:-4], "big")
    elif block[:4] not in _AMONG_OTHERS:
        raise DamagedError("a block of the directory is not one")
    while position + 12 <= end:
        unused, unused_bytes = struct.unpack_from(">HH", block, position)
        if unused == _UNUSED:
            size_bytes = unused_bytes
        else:
            number, name_bytes = struct.unpack_from(">QB", block, position)
            size_bytes = -(-(11 + name_bytes + layout.has_types_in_names) // 8) * 8
            name = block[position + 9 : position + 9 + name_bytes]
            if not name_bytes or position + size_bytes > end:
                raise DamagedError("an entry of the directory does not fit in its block")
            if name not in (b".", b".."):
                yield name, number
        if not size_bytes or size_bytes % 8:
            raise DamagedError("an entry of the directory does not fit in its block")
        position += size_bytes
