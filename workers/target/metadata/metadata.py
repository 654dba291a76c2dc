"""Mode, owner, time and extended attributes of a restored entry."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from tasks.orders import TargetEntry
from workers.target.metadata.attributes import set_attributes
from workers.target.metadata.not_kept import NotKept
from workers.target.troubles import MetadataTrouble

_SET_ID_BITS = stat.S_ISUID | stat.S_ISGID


class Metadata(NamedTuple):
    """Owners are those of this host.  A tuple, because a bundle has thousands of them and uses each once."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    attributes: Mapping[str, str] = MappingProxyType({})


def metadata_of(entry: TargetEntry) -> Metadata:
    """The metadata of an entry whose owner is local already."""
    return Metadata(entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.attributes)


def set_metadata(place: int | str, metadata: Metadata, not_kept: NotKept) -> None:
    """Set owner, extended attributes, mode and time of ``place``, a descriptor or a path that is safe to follow.

    The owner comes first, because changing it clears set-id bits and capabilities; the mode after the ACL, so that
    nobody gets more in between.  What this user may not set, or the file system does not have, is counted.  Raises
    MetadataTrouble when anything else cannot be set; the rest is still set, but never set-id bits for another owner
    than the original.
    """
    mode, trouble = effective_mode(metadata), None
    try:
        is_owned = _set_owner(place, metadata, not_kept)
    except MetadataTrouble as error:
        is_owned, trouble = False, error
    try:
        set_attributes(place, metadata.attributes, not_kept)
    except MetadataTrouble as error:
        trouble = trouble or error
    set_mode(place, mode if is_owned else mode & ~_SET_ID_BITS, not_kept)
    _set_time(place, metadata.mtime_ns)
    if trouble is not None:
        raise trouble


def _set_owner(place: int | str, metadata: Metadata, not_kept: NotKept) -> bool:
    """Whether ``place`` belongs to whom it should; raises MetadataTrouble for what is no matter of rights."""
    if os.geteuid() != 0:
        return _set_group(place, metadata, not_kept)
    try:
        os.chown(place, metadata.uid, metadata.gid)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and not_kept.add("owner", error, may_set=True):
            return False
        raise MetadataTrouble(f"cannot set its owner: {error}") from error
    return True


def _set_group(place: int | str, metadata: Metadata, not_kept: NotKept) -> bool:
    """Users may give files to their own groups, and to nobody else."""
    is_own = metadata.uid == os.geteuid()
    if is_own and metadata.gid == os.getegid():
        return True
    if metadata.gid in os.getgroups():
        with suppress(OSError):
            os.chown(place, -1, metadata.gid)
            if is_own:
                return True
    not_kept.not_kept["owner"] += 1
    return False


def set_mode(place: int | str, mode: int, not_kept: NotKept) -> None:
    """Raises MetadataTrouble."""
    try:
        os.chmod(place, mode)
    except OSError as error:
        if not not_kept.add("mode", error, may_set=True):
            raise MetadataTrouble(f"cannot set its mode: {error}") from error


def _set_time(place: int | str, mtime_ns: int) -> None:
    try:
        os.utime(place, ns=(mtime_ns, mtime_ns))
    except (OSError, OverflowError) as error:
        raise MetadataTrouble(f"cannot set its time: {error}") from error


def set_symlink_metadata(folder: int, name: str, metadata: Metadata, not_kept: NotKept) -> None:
    """Set owner, attributes and time of a symlink itself; Linux gives symlinks no mode.  Raises MetadataTrouble."""
    try:
        if os.geteuid() == 0:
            os.chown(name, metadata.uid, metadata.gid, dir_fd=folder, follow_symlinks=False)
        elif (metadata.uid, metadata.gid) != (os.geteuid(), os.getegid()):
            not_kept.not_kept["owner"] += 1
        if metadata.attributes:
            path = f"/proc/self/fd/{folder}/{name}"
            set_attributes(path, metadata.attributes, not_kept, follow_symlinks=False)
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
    if not mode & _SET_ID_BITS or os.geteuid() == 0:
        return mode
    is_own = metadata.uid == os.geteuid() and metadata.gid in (os.getegid(), *os.getgroups())
    return mode if is_own else mode & ~_SET_ID_BITS
