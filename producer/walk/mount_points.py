"""The mount points in a source, and what the kernel knows of them without asking whoever serves them."""

from __future__ import annotations

import ctypes
import os
import struct

from producer.raw.mounts import UnknownMountsError, mounts

_AT_SYMLINK_NOFOLLOW = 0x100
_AT_NO_AUTOMOUNT = 0x800
_AT_STATX_DONT_SYNC = 0x4000
_BASIC_STATS = 0x7FF
_STATX_BYTES = 256
#: struct statx: mask, block size, attributes, links, uid, gid, mode, inode, size, blocks, mask of attributes.
_HEAD = struct.Struct("=IIQIIIHxxQQQQ")
#: Of a time: seconds, nanoseconds.  There are four: last access, birth, change of the inode, last write.
_TIMES = struct.Struct("=" + "qIxxxx" * 4)
_NUMBERS = struct.Struct("=IIII")


def mount_points_below(root: str) -> frozenset[str]:
    """The paths, relative to ``root``, of the mount points below it; none where /proc does not tell."""
    prefix = os.path.realpath(root).rstrip("/") + "/"
    try:
        points = [mount.point for mount in mounts()]
    except UnknownMountsError:
        return frozenset()
    return frozenset(point.removeprefix(prefix) for point in points if point.startswith(prefix) and point != prefix)


def cached_status(name: str, folder: int) -> os.stat_result:
    """As ``os.stat`` without following symlinks, but from what the kernel has; raises OSError.

    A file system of the network, or one that a program serves, is not asked, and so cannot keep us waiting.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | _AT_STATX_DONT_SYNC
    if not hasattr(libc, "statx"):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    if libc.statx(folder, os.fsencode(name), flags, _BASIC_STATS, buffer):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return _status_of(buffer.raw)


def _status_of(raw: bytes) -> os.stat_result:
    _, _, _, links_count, uid, gid, mode, inode, size_bytes, blocks_count, _ = _HEAD.unpack_from(raw)
    times = _TIMES.unpack_from(raw, _HEAD.size)
    accessed_ns, changed_ns, modified_ns = (times[at] * 1_000_000_000 + times[at + 1] for at in (0, 4, 6))
    rdev_major, rdev_minor, major, minor = _NUMBERS.unpack_from(raw, _HEAD.size + _TIMES.size)
    seconds = [moment_ns // 1_000_000_000 for moment_ns in (accessed_ns, modified_ns, changed_ns)]
    more = {
        "st_atime_ns": accessed_ns,
        "st_mtime_ns": modified_ns,
        "st_ctime_ns": changed_ns,
        "st_blocks": blocks_count,
        "st_rdev": os.makedev(rdev_major, rdev_minor),
    }
    device = os.makedev(major, minor)
    return os.stat_result((mode, inode, device, links_count, uid, gid, size_bytes, *seconds), more)
