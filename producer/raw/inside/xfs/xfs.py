"""Reads XFS in an image, by the layout that its authors document."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from producer.raw.inside.entry import Node
from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece, in_blocks, in_order
from producer.raw.inside.xfs.directory import entries_of_block, entries_of_inode
from producer.raw.inside.xfs.extents import mapped
from producer.raw.inside.xfs.layout import XfsInode, XfsLayout

_LOCAL = 1
_NANOSECONDS = 1_000_000_000
#: Blocks of a directory behind this hold its index, which is not needed to list it.
_INDEX_BYTES = 1 << 35
_LONGEST_LINK_BYTES = 1024
_LINK_HEADER_BYTES = 56


class XfsReader:
    """See :class:`producer.raw.inside.entry.Reader`; a node's number is its inode's."""

    def __init__(self, image: Path) -> None:
        self.image = ImageBytes(image)
        self._layout = XfsLayout.read(self.image)
        self.root = self._layout.root
        self.shares_blocks = self._layout.shares_blocks

    def node(self, number: int) -> Node:
        inode = self._layout.inode(number, self.image)
        return Node(
            identity=number,
            mode=inode.mode,
            uid=inode.uid,
            gid=inode.gid,
            size_bytes=inode.size_bytes,
            links_count=inode.links_count,
            accessed_ns=_time_ns(inode, 32),
            modified_ns=_time_ns(inode, 40),
        )

    def names(self, number: int) -> Iterator[tuple[bytes, int]]:
        inode = self._layout.inode(number, self.image)
        if inode.format == _LOCAL:
            yield from entries_of_inode(inode.fork, self._layout)
            return
        pieces = in_order(mapped(inode, self._layout, self.image), self.image, _INDEX_BYTES)
        for block in in_blocks(pieces, self.image, self._layout.directory_block_bytes):
            yield from entries_of_block(block, self._layout)

    def pieces(self, number: int) -> Iterator[Piece]:
        inode = self._layout.inode(number, self.image)
        if inode.is_realtime:
            raise DamagedError("it lies on a device of its own, which is not in the image")
        return in_order(mapped(inode, self._layout, self.image), self.image, inode.size_bytes)

    def small_content(self, number: int) -> bytes | None:
        return None

    def link_target(self, number: int) -> bytes:
        inode = self._layout.inode(number, self.image)
        if inode.size_bytes > _LONGEST_LINK_BYTES:
            raise DamagedError("the link is too long")
        if inode.format == _LOCAL:
            return inode.fork[: inode.size_bytes]
        header_bytes = _LINK_HEADER_BYTES if self._layout.has_checksums else 0
        end_bytes = _LONGEST_LINK_BYTES + 4 * _LINK_HEADER_BYTES
        parts = (
            self.image.read(piece.image_start_bytes, piece.size_bytes)[header_bytes:]
            for piece in in_order(mapped(inode, self._layout, self.image), self.image, end_bytes)
        )
        return b"".join(parts)[: inode.size_bytes]


def _time_ns(inode: XfsInode, position: int) -> int:
    if inode.has_big_times:
        return int.from_bytes(inode.raw[position : position + 8], "big") - 2**31 * _NANOSECONDS
    seconds, nanoseconds = struct.unpack_from(">iI", inode.raw, position)
    return int(seconds) * _NANOSECONDS + min(int(nanoseconds), _NANOSECONDS - 1)
