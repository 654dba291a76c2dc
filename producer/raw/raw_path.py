"""The path of a raw volume: its size, its mark, and whether it can be one at all."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from producer.raw.mounts import number_of
from producer.raw.tools import file_system_of
from tasks.errors import UsageError
from tasks.raw import MARK_BYTES, raw_volume_mark

_BLKGETSIZE64 = 0x80081272
_BLKFLSBUF = 0x1261


def size_of(raw_volume: Path) -> int:
    """The size of a block device (from the kernel) or image file; raises UsageError when it cannot be read."""
    try:
        fd = os.open(raw_volume, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if not stat.S_ISBLK(status.st_mode):
                return status.st_size
            return int(struct.unpack("Q", fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8)))[0])
        finally:
            os.close(fd)
    except OSError as error:
        raise UsageError(
            f"cannot read the raw volume {raw_volume}: {error.strerror}",
            hint="reading a block device needs root, or membership of the group disk",
            path=str(raw_volume),
        ) from error


def mark_of(raw_volume: Path, size_bytes: int) -> str:
    """Identifies a block device for agents, because its path may mean another disk on their hosts.

    "" for an image file, and for a device that cannot be read.
    """
    if not raw_volume.is_block_device():
        return ""
    with suppress(OSError), open(raw_volume, "rb", buffering=0) as file:
        return raw_volume_mark(size_bytes, file.read(MARK_BYTES))
    return ""


def drop_stale_cache(raw_volume: Path) -> None:
    """Have the kernel drop its cache of a block device, if it can: a mounted file system has a cache of its own."""
    with suppress(OSError):
        fd = os.open(raw_volume, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.ioctl(fd, _BLKFLSBUF, 0)
        finally:
            os.close(fd)


def refuse_what_is_no_raw_volume(path: Path) -> None:
    """Raises UsageError for a character device, a pipe, a socket, swap space, or an empty file."""
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode):
        raise UsageError(f"{path} is a character device", hint="a raw volume is a block device or an image file")
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise UsageError(f"{path} is neither a block device nor an image file", hint="see --mode", path=str(path))
    if _is_swap(path):
        raise UsageError(f"{path} is swap space, which holds nothing to keep", hint="leave it out", path=str(path))
    if size_of(path) == 0:
        raise UsageError(f"{path} is empty: there is nothing to back up", hint="is its medium there?", path=str(path))


def _is_swap(path: Path) -> bool:
    lines: list[str] = []
    with suppress(OSError):
        lines = Path("/proc/swaps").read_text(errors="surrogateescape").splitlines()[1:]
    used = [Path(line.split()[0]) for line in lines if line.split()]
    return any(_is_same(path, other) for other in used) or file_system_of(path) == "swap"


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        one, two = path.stat(), other.stat()
        if stat.S_ISBLK(one.st_mode) and stat.S_ISBLK(two.st_mode):
            return number_of(one.st_rdev) == number_of(two.st_rdev)
        return path.samefile(other)
    return False
