"""Which blocks a file of ext2, ext3 or ext4 has: by extents, or by the older lists of blocks."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece

_MOST_LEVELS = 5
#: Longer extents are reserved and not written: they read as zeros.
_LONGEST = 32768


def mapped_by_extents(root: bytes, image: ImageBytes, block_bytes: int) -> Iterator[Piece]:
    """The extents below ``root``, the map in the inode.  Raises DamagedError for what is not a valid tree."""
    for start, count, first_block in _leaves(root, image, block_bytes, _MOST_LEVELS, 0):
        if count <= _LONGEST:
            yield Piece(start * block_bytes, first_block * block_bytes, count * block_bytes)


def _leaves(
    node: bytes, image: ImageBytes, block_bytes: int, most_levels: int, least_start: int
) -> Iterator[tuple[int, int, int]]:
    """First block in the file, count, first block in the image; each begins behind the one before.

    That, and that no node but the root is empty, bounds the work: no node can be visited twice.
    """
    magic, entries_count, _, level = struct.unpack_from("<HHHH", node, 0)
    if magic != 0xF30A or level > most_levels or 12 + 12 * entries_count > len(node):
        raise DamagedError("its tree of extents is broken")
    for position in range(12, 12 + 12 * entries_count, 12):
        if level:
            start, low, high = struct.unpack_from("<IIH", node, position)
            inner = image.read((high << 32 | low) * block_bytes, block_bytes)
            if inner[2:4] == b"\0\0" or struct.unpack_from("<H", inner, 6)[0] != level - 1:
                raise DamagedError("its tree of extents is broken")
            found = _leaves(inner, image, block_bytes, level - 1, max(start, least_start))
        else:
            start, count, high, low = struct.unpack_from("<IHHI", node, position)
            found = iter([(start, count, high << 32 | low)])
        for leaf in found:
            if leaf[0] < least_start or not leaf[1]:
                raise DamagedError("its extents are not in order")
            least_start = leaf[0] + (leaf[1] if leaf[1] <= _LONGEST else leaf[1] - _LONGEST)
            yield leaf


def mapped(root: bytes, image: ImageBytes, block_bytes: int) -> Iterator[Piece]:
    """The blocks that the 15 numbers of ``root`` lead to: 12, then lists, lists of lists, and lists of those."""
    seen: set[int] = set()
    numbers = struct.unpack("<15I", root)
    position = 0
    for index, number in enumerate(numbers):
        level = max(0, index - 11)
        yield from _listed(number, level, position, image, block_bytes, seen)
        position += (block_bytes // 4) ** level * block_bytes


def _listed(
    number: int, level: int, position: int, image: ImageBytes, block_bytes: int, seen: set[int]
) -> Iterator[Piece]:
    """The blocks below the list in block ``number``, or with ``level`` 0 that block; 0 is a hole."""
    if not number:
        return
    if not level:
        yield Piece(position, number * block_bytes, block_bytes)
        return
    if number in seen:
        raise DamagedError("a list of its blocks occurs twice")
    seen.add(number)
    step_bytes = (block_bytes // 4) ** (level - 1) * block_bytes
    for (inner,) in struct.iter_unpack("<I", image.read(number * block_bytes, block_bytes)):
        yield from _listed(inner, level - 1, position, image, block_bytes, seen)
        position += step_bytes
