"""The content of small files of ext4, which lies in the inode itself."""

from __future__ import annotations

import struct

from producer.raw.inside.image_bytes import DamagedError

_IN_MAP_BYTES = 60
#: Of names of extended attributes that begin with "system.".
_SYSTEM = 7


def inline_content(inode: bytes, size_bytes: int) -> bytes:
    """What lies in the map of the inode's blocks, and behind it in the attribute ``system.data``."""
    content = inode[0x28 : 0x28 + _IN_MAP_BYTES]
    if size_bytes > _IN_MAP_BYTES:
        content += _attribute(inode)
    if size_bytes > len(content):
        raise DamagedError("a part of its content is missing")
    return content[:size_bytes]


def _attribute(inode: bytes) -> bytes:
    start = 128 + int.from_bytes(inode[0x80:0x82], "little") + 4
    if inode[start - 4 : start] != b"\x00\x00\x02\xea":
        return b""
    position = start
    while position + 16 <= len(inode) and inode[position : position + 4] != bytes(4):
        name_bytes, kind, value_at, value_inode, value_bytes = struct.unpack_from("<BBHII", inode, position)
        name = inode[position + 16 : position + 16 + name_bytes]
        if (kind, name, value_inode) == (_SYSTEM, b"data", 0):
            return inode[start + value_at : start + value_at + value_bytes]
        position += 16 + (name_bytes + 3) // 4 * 4
    return b""
