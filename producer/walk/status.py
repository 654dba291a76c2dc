"""The status of an entry: what ``os.stat`` knows, and what only ``statx`` does, its birth and its flags."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import threading
from functools import lru_cache
from typing import Any, NamedTuple

from tasks.sources.metadata import KEPT_FLAGS

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_NO_AUTOMOUNT = 0x800
_AT_STATX_DONT_SYNC = 0x4000
_BASIC_STATS_AND_BIRTH = 0xFFF
_BIRTH = 0x800
_STATX_BYTES = 256

#: Of struct statx: mask, attributes, links, uid, gid, mode, inode, size, blocks; birth, change of the inode and last
#: write, each in seconds and nanoseconds; device numbers of the node, and of the file system.
_STATX = struct.Struct("=I4xQIIIH2xQQQ8x16xqI4xqI4xqI4xIIII")


#: As os.fsencode, which takes longer than the kernel.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class Status(NamedTuple):
    """Named as in ``os.stat_result``.  ``st_birth_ns`` is None where the file system does not record it."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_nlink: int
    st_dev: int
    st_ino: int
    st_rdev: int
    st_blocks: int
    st_birth_ns: int | None
    #: Of :data:`tasks.sources.metadata.KEPT_FLAGS`; statx has the same bits as the ioctl that sets them.
    st_flags: int


def status_at(name: str, folder: int = _AT_FDCWD, *, cached: bool = False) -> Status:
    """The status of ``name`` in the open directory ``folder``; symlinks are not followed.  Raises OSError.

    With ``cached`` the kernel says what it has: a file system of the network, or one that a program serves, is not
    asked, and so cannot keep us waiting.
    """
    if _statx is None:
        return _from_stat(os.stat(name, dir_fd=None if folder == _AT_FDCWD else folder, follow_symlinks=False))
    flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | (_AT_STATX_DONT_SYNC if cached else 0)
    buffer = _buffer()
    if _statx(folder, name.encode(_ENCODING, _ERRORS), flags, _BASIC_STATS_AND_BIRTH, buffer):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return _from_statx(buffer)


def _find_statx() -> Any:
    # Without argtypes: what ctypes makes of numbers, bytes and a buffer is right, and checking would take half a call.
    return getattr(ctypes.CDLL(None, use_errno=True), "statx", None)


_statx = _find_statx()
_of_thread = threading.local()
#: As :class:`Status` makes itself, without the step in between.
_new_tuple = tuple.__new__
#: A source has few file systems.
_device = lru_cache(maxsize=256)(os.makedev)


def _buffer() -> ctypes.Array[ctypes.c_char]:
    """This thread's: a new one for each entry would take as long as the question."""
    buffer: ctypes.Array[ctypes.c_char]
    try:
        buffer = _of_thread.buffer
    except AttributeError:
        buffer = _of_thread.buffer = ctypes.create_string_buffer(_STATX_BYTES)
    return buffer


def _from_statx(buffer: ctypes.Array[ctypes.c_char]) -> Status:
    # fmt: off
    (mask, attributes, links_count, uid, gid, mode, inode, size_bytes, blocks_count,
     birth_s, birth_part_ns, changed_s, changed_part_ns, modified_s, modified_part_ns,
     rdev_major, rdev_minor, dev_major, dev_minor) = _STATX.unpack_from(buffer)
    # fmt: on
    return _new_tuple(
        Status,
        (
            mode,
            uid,
            gid,
            size_bytes,
            modified_s * 1_000_000_000 + modified_part_ns,
            changed_s * 1_000_000_000 + changed_part_ns,
            links_count,
            _device(dev_major, dev_minor),
            inode,
            _device(rdev_major, rdev_minor),
            blocks_count,
            birth_s * 1_000_000_000 + birth_part_ns if mask & _BIRTH else None,
            attributes & KEPT_FLAGS,
        ),
    )


def _from_stat(found: os.stat_result) -> Status:
    return Status(
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_nlink,
        found.st_dev,
        found.st_ino,
        found.st_rdev,
        found.st_blocks,
        None,
        0,
    )
