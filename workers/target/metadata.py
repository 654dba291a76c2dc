"""Mode, owner and time of a restored entry."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from workers.target.troubles import MetadataTrouble

_SET_ID_BITS = stat.S_ISUID | stat.S_ISGID


class Metadata(NamedTuple):
    """A row of a restore order.  A tuple, because a bundle has thousands of them and uses each once."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int


def set_metadata(place: int | str, metadata: Metadata) -> None:
    """Set owner, mode and time of ``place``, a descriptor or a path that is safe to follow.

    The owner comes first, because changing it clears set-id bits.  Raises MetadataTrouble when one cannot
    be set; the other two are still set, but never set-id bits for another owner than the original.
    """
    mode, owner_error = effective_mode(metadata), None
    try:
        if os.geteuid() == 0:
            try:
                os.chown(place, metadata.uid, metadata.gid)
            except (OSError, OverflowError) as error:
                owner_error = error
                mode &= ~_SET_ID_BITS
        os.chmod(place, mode)
        os.utime(place, ns=(metadata.mtime_ns, metadata.mtime_ns))
    except (OSError, OverflowError) as error:
        raise MetadataTrouble(f"cannot set its mode and time: {error}") from error
    if owner_error is not None:
        raise MetadataTrouble(f"cannot set its owner: {owner_error}") from owner_error


def set_symlink_metadata(folder: int, name: str, metadata: Metadata) -> None:
    """Set owner and time of a symlink itself; Linux gives symlinks no mode.  Raises MetadataTrouble."""
    try:
        if os.geteuid() == 0:
            os.chown(name, metadata.uid, metadata.gid, dir_fd=folder, follow_symlinks=False)
        times = (metadata.mtime_ns, metadata.mtime_ns)
        os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
    except (OSError, OverflowError) as error:
        raise MetadataTrouble(f"cannot set its owner and time: {error}") from error


def has_metadata(found: os.stat_result, size_bytes: int, metadata: Metadata) -> bool:
    """Whether a file looks exactly as :func:`set_metadata` would leave it at this size."""
    return (
        has_content(found, size_bytes, metadata)
        and stat.S_IMODE(found.st_mode) == effective_mode(metadata)
        and (os.geteuid() != 0 or has_owner(found, metadata))
    )


def has_content(found: os.stat_result, size_bytes: int, metadata: Metadata) -> bool:
    """Whether size and time say that a file has not changed since the backup."""
    return found.st_size == size_bytes and found.st_mtime_ns == metadata.mtime_ns


def has_owner(found: os.stat_result, metadata: Metadata) -> bool:
    """Whether the owner is the one whom :func:`set_metadata` would set."""
    if os.geteuid() != 0:
        return found.st_uid == os.geteuid()
    return (found.st_uid, found.st_gid) == (metadata.uid, metadata.gid)


def effective_mode(metadata: Metadata) -> int:
    """Only root gives files away, so anybody else's set-id bits would name the wrong owner (as ``cp -p`` does)."""
    mode = stat.S_IMODE(metadata.mode)
    if os.geteuid() == 0 or (metadata.uid, metadata.gid) == (os.geteuid(), os.getegid()):
        return mode
    return mode & ~_SET_ID_BITS
