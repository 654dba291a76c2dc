"""Reads ext2, ext3 and ext4 in an image, by the layout that the Linux kernel documents."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from producer.raw.inside.entry import Node
from producer.raw.inside.ext.blocks import mapped, mapped_by_extents
from producer.raw.inside.ext.inline import inline_content
from producer.raw.inside.ext.layout import ExtLayout
from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece, in_blocks, in_order

_ENCRYPTED = 0x800
_EXTENTS = 0x80000
_INLINE = 0x10000000
#: The bytes of an inode that hold the map of its blocks, or a short link itself.
MAP = slice(0x28, 0x64)
_NANOSECONDS = 1_000_000_000


class ExtReader:
    """See :class:`producer.raw.inside.entry.Reader`; a node's number is its inode's."""

    root = 2

    def __init__(self, image: Path) -> None:
        self.image = ImageBytes(image)
        self._layout = ExtLayout.read(self.image)
        self.shares_blocks = self._layout.shares_blocks

    def node(self, number: int) -> Node:
        inode = self._inode(number)
        mode, uid, size, gid, links_count = struct.unpack_from("<HHI16xHH", inode, 0)
        uid_high, gid_high = struct.unpack_from("<HH", inode, 0x78)
        return Node(
            identity=number,
            mode=mode,
            uid=uid | uid_high << 16,
            gid=gid | gid_high << 16,
            size_bytes=_size_bytes(inode) if mode & 0o170000 == 0o100000 else size,
            links_count=links_count,
            accessed_ns=_time_ns(inode, 0x08, 0x8C),
            modified_ns=_time_ns(inode, 0x10, 0x88),
        )

    def names(self, number: int) -> Iterator[tuple[bytes, int]]:
        small = self.small_content(number)
        if small is not None:
            # The number of the parent, then the entries: in the map of blocks, and behind it.
            yield from _entries(small[4:60])
            yield from _entries(small[60:])
            return
        for block in in_blocks(self.pieces(number), self.image, self._layout.block_bytes):
            yield from _entries(block)

    def pieces(self, number: int) -> Iterator[Piece]:
        inode = self._inode(number)
        by_extents = _flags(inode) & _EXTENTS
        found = (mapped_by_extents if by_extents else mapped)(inode[MAP], self.image, self._layout.block_bytes)
        return in_order(found, self.image, self.node(number).size_bytes)

    def small_content(self, number: int) -> bytes | None:
        inode = self._inode(number)
        return inline_content(inode, self.node(number).size_bytes) if _flags(inode) & _INLINE else None

    def link_target(self, number: int) -> bytes:
        inode, size_bytes = self._inode(number), self.node(number).size_bytes
        small = self.small_content(number)
        if small is not None:
            return small
        if size_bytes < 60 and not _flags(inode) & _EXTENTS:
            return inode[MAP][:size_bytes]
        if size_bytes > self._layout.block_bytes:
            raise DamagedError("the link is too long")
        return b"".join(self.image.read(piece.image_start_bytes, piece.size_bytes) for piece in self.pieces(number))

    def _inode(self, number: int) -> bytes:
        inode = self._layout.inode(number, self.image)
        if _flags(inode) & _ENCRYPTED:
            raise DamagedError("it is encrypted")
        return inode


def _flags(inode: bytes) -> int:
    return int.from_bytes(inode[0x20:0x24], "little")


def _size_bytes(inode: bytes) -> int:
    return int.from_bytes(inode[0x04:0x08] + inode[0x6C:0x70], "little")


def _time_ns(inode: bytes, seconds_at: int, extra_at: int) -> int:
    """A time of an inode; large inodes have two more bits of the second, and nanoseconds, at ``extra_at``."""
    seconds = int.from_bytes(inode[seconds_at : seconds_at + 4], "little", signed=True)
    extra_bytes = int.from_bytes(inode[0x80:0x82], "little") if len(inode) > 128 else 0
    if 128 + extra_bytes < extra_at + 4 or len(inode) < extra_at + 4:
        return seconds * _NANOSECONDS
    extra = int.from_bytes(inode[extra_at : extra_at + 4], "little")
    return (seconds + ((extra & 3) << 32)) * _NANOSECONDS + min(extra >> 2, _NANOSECONDS - 1)


def _entries(block: bytes) -> Iterator[tuple[bytes, int]]:
    """The entries in a block of a directory; those of its index look like one that is not used."""
    position = 0
    while position + 8 <= len(block):
        number, size_bytes, name_bytes = struct.unpack_from("<IHB", block, position)
        if len(block) == 65536 and size_bytes in (0, 65535):
            size_bytes = 65536
        if size_bytes < 8 or position + size_bytes > len(block):
            raise DamagedError("an entry of the directory does not fit in its block")
        name = block[position + 8 : position + 8 + name_bytes]
        if number and 8 + name_bytes > size_bytes:
            raise DamagedError("a name in the directory does not fit in its entry")
        if number and name not in (b".", b".."):
            yield name, number
        position += size_bytes
