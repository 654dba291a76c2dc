"""The status of an entry: what ``os.stat`` knows, and what only ``statx`` does, its birth and its flags."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import threading
from array import array
from collections.abc import Sequence
from typing import Any

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

STATUS_BYTES = _STATX.size

#: Where each begins.
_MASK_AT, _ATTRIBUTES_AT, _LINKS_AT, _UID_AT, _GID_AT, _MODE_AT, _INODE_AT, _SIZE_AT = 0, 8, 16, 20, 24, 28, 32, 40
_BIRTH_AT, _CHANGE_AT, _WRITE_AT, _NODE_AT, _FILE_SYSTEM_AT = 80, 96, 112, 128, 136

_MODE_AND_SIZES = struct.Struct("=28xH10xQQ")
_DEVICE = struct.Struct("=II")

#: As os.fsencode, which takes longer than the kernel.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

#: What the kernel says of an entry, as it says it: of all the numbers of an entry a scan needs few, and columns of the
#: others.
Status = bytes


def status_at(name: str, folder: int = _AT_FDCWD, *, cached: bool = False) -> Status:
    """The status of ``name`` in the open directory ``folder``; symlinks are not followed.  Raises OSError.

    With ``cached`` the kernel says what it has: a file system of the network, or one that a program serves, is not
    asked, and so cannot keep us waiting.
    """
    if _statx is None:
        return status_from(os.stat(name, dir_fd=None if folder == _AT_FDCWD else folder, follow_symlinks=False))
    flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | (_AT_STATX_DONT_SYNC if cached else 0)
    try:
        buffer = _of_thread.buffer
    except AttributeError:
        # This thread's: a new one for each entry would take as long as the question.
        buffer = _of_thread.buffer = ctypes.create_string_buffer(_STATX_BYTES)
        _of_thread.answer = memoryview(buffer)[: _STATX.size]
    if _statx(folder, name.encode(_ENCODING, _ERRORS), flags, _BASIC_STATS_AND_BIRTH, buffer):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return bytes(_of_thread.answer)


def mode_and_sizes(status: Status) -> tuple[int, int, int]:
    """What each entry is looked at for: mode, bytes, and blocks."""
    return _MODE_AND_SIZES.unpack_from(status)


def flags_of(status: Status) -> int:
    """Of :data:`tasks.sources.metadata.KEPT_FLAGS`; statx has the same bits as the ioctl that sets them."""
    return int.from_bytes(status[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 8], sys.byteorder) & KEPT_FLAGS


def file_system_of(status: Status) -> int:
    """As ``st_dev``."""
    return os.makedev(*_DEVICE.unpack_from(status, _FILE_SYSTEM_AT))


def node_of(status: Status) -> int:
    """As ``st_rdev``: which device the node is."""
    return os.makedev(*_DEVICE.unpack_from(status, _NODE_AT))


class StatusColumns:
    """The numbers of several entries by column: an object of each entry would cost more than asking the kernel."""

    def __init__(self, statuses: Sequence[Status]) -> None:
        data = b"".join(statuses)
        self._arrays = {code: array(code, data) for code in "HIQq"}

    def modes(self) -> list[int]:
        return self._column("H", _MODE_AT).tolist()

    def uids(self) -> list[int]:
        return self._column("I", _UID_AT).tolist()

    def gids(self) -> list[int]:
        return self._column("I", _GID_AT).tolist()

    def links_counts(self) -> list[int]:
        return self._column("I", _LINKS_AT).tolist()

    def inodes(self) -> list[int]:
        return self._column("Q", _INODE_AT).tolist()

    def sizes_bytes(self) -> list[int]:
        return self._column("Q", _SIZE_AT).tolist()

    def mtimes_ns(self) -> list[int]:
        return self._times_ns(_WRITE_AT)

    def ctimes_ns(self) -> list[int]:
        return self._times_ns(_CHANGE_AT)

    def births_ns(self) -> list[int | None]:
        """None where the file system does not record it."""
        masks, births_ns = self._column("I", _MASK_AT), self._times_ns(_BIRTH_AT)
        if all(mask & _BIRTH for mask in set(masks)):
            return [*births_ns]
        return [birth_ns if mask & _BIRTH else None for mask, birth_ns in zip(masks, births_ns, strict=True)]

    def flags(self) -> list[int]:
        """As :func:`flags_of`; none at all where no entry has any."""
        attributes = self._column("Q", _ATTRIBUTES_AT)
        if not any(bits & KEPT_FLAGS for bits in set(attributes)):
            return []
        return [bits & KEPT_FLAGS for bits in attributes]

    def _times_ns(self, at: int) -> list[int]:
        seconds, parts_ns = self._column("q", at).tolist(), self._column("I", at + 8).tolist()
        return [whole * 1_000_000_000 + part_ns for whole, part_ns in zip(seconds, parts_ns, strict=True)]

    def _column(self, code: str, at: int) -> array[int]:
        numbers = self._arrays[code]
        return numbers[at // numbers.itemsize :: _STATX.size // numbers.itemsize]


def _find_statx() -> Any:
    # Without argtypes: what ctypes makes of numbers, bytes and a buffer is right, and checking would take half a call.
    return getattr(ctypes.CDLL(None, use_errno=True), "statx", None)


_statx = _find_statx()
_of_thread = threading.local()


def status_from(found: os.stat_result) -> Status:
    """As statx would say it, without birth and flags."""
    times_ns = (divmod(time_ns, 1_000_000_000) for time_ns in (0, found.st_ctime_ns, found.st_mtime_ns))
    return _STATX.pack(
        0,
        0,
        found.st_nlink,
        found.st_uid,
        found.st_gid,
        found.st_mode,
        found.st_ino,
        found.st_size,
        found.st_blocks,
        *(number for time_ns in times_ns for number in time_ns),
        *(half(number) for number in (found.st_rdev, found.st_dev) for half in (os.major, os.minor)),
    )
