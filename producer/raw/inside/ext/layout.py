"""Where ext2, ext3 and ext4 keep their inodes."""

from __future__ import annotations

import struct
from typing import Self

from msgspec import Struct

from producer.raw.inside.image_bytes import DamagedError, ImageBytes

#: Features that change where things are: those that this reader does not support, by their bits.
_UNKNOWN = ~0x3_E7D6
_META_GROUPS = 0x10
_LARGE = 0x80
_SPARSE = 0x01
_SPARSE_2 = 0x200
_SHARED_BLOCKS = 0x4000


class ExtLayout(Struct, frozen=True, kw_only=True):
    """What reading needs of the superblock."""

    block_bytes: int
    first_block: int
    group_blocks_count: int
    group_inodes_count: int
    inodes_count: int
    inode_bytes: int
    descriptor_bytes: int
    #: From this group of descriptors on they lie in the groups that they describe.
    first_meta_group: int
    has_sparse_backups: bool
    shares_blocks: bool
    backup_groups: tuple[int, ...] | None

    @classmethod
    def read(cls, image: ImageBytes) -> Self:
        """Raises DamagedError for what cannot be a superblock, or has features that this reader does not support."""
        block = image.read(1024, 1024)
        inodes_count, first_block, log_bytes = struct.unpack_from("<I16xII", block, 0)
        group_blocks_count, group_inodes_count = struct.unpack_from("<I4xI", block, 0x20)
        revision, inode_bytes, compatible, incompatible, read_only = struct.unpack_from("<I8xH2xIII", block, 0x4C)
        if revision == 0:
            inode_bytes, compatible, incompatible, read_only = 128, 0, 0, 0
        if incompatible & _UNKNOWN:
            raise DamagedError(f"the file system has unsupported features ({incompatible:#x})")
        is_large = incompatible & _LARGE
        layout = cls(
            block_bytes=1024 << min(log_bytes, 32),
            first_block=first_block,
            group_blocks_count=group_blocks_count,
            group_inodes_count=group_inodes_count,
            inodes_count=inodes_count,
            inode_bytes=inode_bytes,
            descriptor_bytes=int.from_bytes(block[0xFE:0x100], "little") if is_large else 32,
            first_meta_group=int.from_bytes(block[0x104:0x108], "little") if incompatible & _META_GROUPS else 2**32,
            has_sparse_backups=bool(read_only & _SPARSE),
            shares_blocks=bool(read_only & _SHARED_BLOCKS),
            backup_groups=struct.unpack_from("<II", block, 0x24C) if compatible & _SPARSE_2 else None,
        )
        layout._check(block[0x38:0x3A])
        return layout

    def _check(self, magic: bytes) -> None:
        is_sound = (
            magic == b"\x53\xef"
            and self.block_bytes <= 65536
            and self.group_blocks_count
            and self.group_inodes_count
            and 128 <= self.inode_bytes <= self.block_bytes
            and not self.inode_bytes & (self.inode_bytes - 1)
            and 32 <= self.descriptor_bytes <= 1024
        )
        if not is_sound:
            raise DamagedError("its superblock cannot be right")

    def inode(self, number: int, image: ImageBytes) -> bytes:
        """The inode, of at least 128 bytes."""
        if not 1 <= number <= self.inodes_count:
            raise DamagedError(f"it refers to inode {number}, which does not exist")
        group, index = divmod(number - 1, self.group_inodes_count)
        descriptor = image.read(self._descriptor_at(group), self.descriptor_bytes)
        table = int.from_bytes(descriptor[0x08:0x0C], "little")
        if self.descriptor_bytes >= 64:
            table |= int.from_bytes(descriptor[0x28:0x2C], "little") << 32
        return image.read(table * self.block_bytes + index * self.inode_bytes, self.inode_bytes)

    def _descriptor_at(self, group: int) -> int:
        in_block = self.block_bytes // self.descriptor_bytes
        meta_group, index = divmod(group, in_block)
        if meta_group < self.first_meta_group:
            block = self._superblock() + 1 + meta_group
        elif meta_group == 0:
            block = self._superblock() + 1
        else:
            first_group = meta_group * in_block
            block = self.first_block + first_group * self.group_blocks_count + self._has_backup(first_group)
        return block * self.block_bytes + index * self.descriptor_bytes

    def _superblock(self) -> int:
        return 1024 // self.block_bytes

    def _has_backup(self, group: int) -> bool:
        """Whether the group begins with a copy of the superblock."""
        if self.backup_groups is not None:
            return group == 0 or group in self.backup_groups
        return not self.has_sparse_backups or group <= 1 or any(_is_power(group, base) for base in (3, 5, 7))


def _is_power(number: int, base: int) -> bool:
    while number > 1 and number % base == 0:
        number //= base
    return number == 1
