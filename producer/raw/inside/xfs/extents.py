"""Which blocks a file of XFS has."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece
from producer.raw.inside.xfs.layout import XfsInode, XfsLayout

_LIST = 2
_TREE = 3
_MOST_LEVELS = 9
_MAGIC = {False: b"BMAP", True: b"BMA3"}
_HEADER_BYTES = {False: 24, True: 72}


def mapped(inode: XfsInode, layout: XfsLayout, image: ImageBytes) -> Iterator[Piece]:
    """The extents that were written.  Raises DamagedError for what is neither a list of extents nor a tree of them."""
    if inode.format == _LIST:
        if inode.extents_count * 16 > len(inode.fork):
            raise DamagedError("it has more extents than room for them")
        yield from _pieces(inode.fork[: inode.extents_count * 16], layout)
    elif inode.format == _TREE:
        level, count = struct.unpack_from(">HH", inode.fork, 0)
        yield from _below(inode.fork[4:], level, count, layout, image, set())
    else:
        raise DamagedError("its content is of an unknown kind")


def _below(
    node: bytes, level: int, count: int, layout: XfsLayout, image: ImageBytes, seen: set[int]
) -> Iterator[Piece]:
    """The extents below a node of the tree, whose ``count`` keys and numbers of blocks are in ``node``."""
    most_count = len(node) // 16
    if count > most_count or not 1 <= level <= _MOST_LEVELS:
        raise DamagedError("its tree of extents is broken")
    for (block,) in struct.iter_unpack(">Q", node[most_count * 8 : (most_count + count) * 8]):
        if block in seen:
            raise DamagedError("a node of its tree of extents occurs twice")
        seen.add(block)
        inner = image.read(layout.position_of(block), layout.block_bytes)
        magic, inner_level, inner_count = struct.unpack_from(">4sHH", inner, 0)
        content = inner[_HEADER_BYTES[layout.has_checksums] :]
        if magic != _MAGIC[layout.has_checksums] or inner_level != level - 1 or inner_count * 16 > len(content):
            raise DamagedError("its tree of extents is broken")
        if inner_level:
            yield from _below(content, inner_level, inner_count, layout, image, seen)
        else:
            yield from _pieces(content[: inner_count * 16], layout)


def _pieces(records: bytes, layout: XfsLayout) -> Iterator[Piece]:
    """The extents in their packed form: 1 bit whether reserved only, 54 where in the file, 52 block, 21 count."""
    for high, low in struct.iter_unpack(">QQ", records):
        start = high >> 9 & (1 << 54) - 1
        block = (high & 0x1FF) << 43 | low >> 21
        count = low & (1 << 21) - 1
        position = layout.position_of(block)
        if not high >> 63:
            yield Piece(start * layout.block_bytes, position, count * layout.block_bytes)
