"""Where XFS keeps its inodes and blocks."""

from __future__ import annotations

import struct
from typing import Self

from msgspec import Struct

from producer.raw.inside.image_bytes import DamagedError, ImageBytes

#: Features that change where things are: those that this reader does not support, by their bits.
_UNKNOWN = ~0x1FF
_TYPES_IN_NAMES = 0x1
_TYPES_IN_NAMES_4 = 0x200
_BIG_TIMES = 0x08
_BIG_COUNTS = 0x10
_REALTIME = 0x1
_REFLINKS = 0x4


class XfsInode(Struct, frozen=True, kw_only=True):
    """An inode: its bytes, and what of them is needed here."""

    raw: bytes
    mode: int
    #: How its content is kept: 1 in the inode, 2 by a list of extents, 3 by a tree of them.
    format: int
    uid: int
    gid: int
    links_count: int
    size_bytes: int
    extents_count: int
    #: The room in the inode for the content, or for where it lies.
    fork: bytes
    is_realtime: bool
    has_big_times: bool


class XfsLayout(Struct, frozen=True, kw_only=True):
    """What reading needs of the superblock."""

    block_bytes: int
    root: int
    group_blocks_count: int
    groups_count: int
    #: Binary logarithms: of the blocks of a group (rounded up), and of the inodes in a block.
    group_log: int
    block_inodes_log: int
    inode_bytes: int
    directory_block_bytes: int
    has_checksums: bool
    has_types_in_names: bool
    shares_blocks: bool

    @classmethod
    def read(cls, image: ImageBytes) -> Self:
        """Raises DamagedError for what cannot be a superblock, or has features that this reader does not support."""
        block = image.read(0, 512)
        magic, block_bytes = struct.unpack_from(">4sI", block, 0)
        group_blocks_count, groups_count = struct.unpack_from(">II", block, 84)
        version, inode_bytes = struct.unpack_from(">H2xH", block, 100)
        block_inodes_log, group_log = struct.unpack_from(">BB", block, 123)
        features_4, read_only, incompatible = struct.unpack_from(">I8xII", block, 200)
        has_checksums = version & 0xF == 5
        if has_checksums and incompatible & _UNKNOWN:
            raise DamagedError(f"the file system has unsupported features ({incompatible:#x})")
        types = incompatible & _TYPES_IN_NAMES if has_checksums else features_4 & _TYPES_IN_NAMES_4
        layout = cls(
            block_bytes=block_bytes,
            root=int.from_bytes(block[56:64], "big"),
            group_blocks_count=group_blocks_count,
            groups_count=groups_count,
            group_log=group_log,
            block_inodes_log=block_inodes_log,
            inode_bytes=inode_bytes,
            directory_block_bytes=block_bytes << min(block[192], 16),
            has_checksums=has_checksums,
            has_types_in_names=bool(types),
            shares_blocks=bool(has_checksums and read_only & _REFLINKS),
        )
        layout._check(magic, version)
        return layout

    def _check(self, magic: bytes, version: int) -> None:
        is_sound = (
            magic == b"XFSB"
            and version & 0xF in (4, 5)
            and 512 <= self.block_bytes <= 65536
            and self.directory_block_bytes <= 65536
            and 256 <= self.inode_bytes <= 2048
            and self.inode_bytes << min(self.block_inodes_log, 16) == self.block_bytes
            and self.group_log < 32
            and self.group_blocks_count <= 1 << self.group_log
        )
        if not is_sound:
            raise DamagedError("its superblock cannot be right")

    def inode(self, number: int, image: ImageBytes) -> XfsInode:
        block, index = divmod(number, 1 << self.block_inodes_log)
        raw = image.read(self.position_of(block) + index * self.inode_bytes, self.inode_bytes)
        magic, mode, version, content_format, old_links_count = struct.unpack_from(">2sHBBH", raw, 0)
        if magic != b"IN":
            raise DamagedError(f"it refers to inode {number}, which is not one")
        uid, gid, links_count = struct.unpack_from(">III", raw, 8)
        flags_2 = int.from_bytes(raw[120:128], "big") if version >= 3 else 0
        counts = raw[24:32] if flags_2 & _BIG_COUNTS else raw[76:80]
        start = 176 if version >= 3 else 100
        # The attributes of the file begin there.
        end = start + raw[82] * 8 if raw[82] else self.inode_bytes
        return XfsInode(
            raw=raw,
            mode=mode,
            format=content_format,
            uid=uid,
            gid=gid,
            links_count=links_count if version >= 2 else old_links_count,
            size_bytes=int.from_bytes(raw[56:64], "big"),
            extents_count=int.from_bytes(counts, "big"),
            fork=raw[start:end],
            is_realtime=bool(int.from_bytes(raw[90:92], "big") & _REALTIME),
            has_big_times=bool(flags_2 & _BIG_TIMES),
        )

    def position_of(self, block: int) -> int:
        """Where a block lies in the image, by its number, which holds that of its group."""
        group, in_group = divmod(block, 1 << self.group_log)
        if group >= self.groups_count or in_group >= self.group_blocks_count:
            raise DamagedError(f"it refers to block {block}, which does not exist")
        return (group * self.group_blocks_count + in_group) * self.block_bytes
