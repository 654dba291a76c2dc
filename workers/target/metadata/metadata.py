"""Mode, owner, time and extended attributes of a restored entry."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from tasks.mtimes import is_same_time
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


def set_metadata(place: int | str, metadata: Metadata, not_kept: NotKept, *, is_symlink: bool = False) -> None:
    """Set owner, extended attributes, mode and time of ``place``, a descriptor or a path that is safe to follow.

    With ``is_symlink`` those of the symlink at ``place``; Linux gives it no mode.  The owner comes first, because
    changing it clears set-id bits and capabilities; the mode after the ACL, so that nobody gets more in between.  What
    this user may not set, or the file system does not keep, is counted.  Raises MetadataTrouble when anything else
    cannot be set; the rest is still set, but never set-id bits for another owner than the original.
    """
    follow, trouble = not is_symlink, None
    mode = effective_mode(metadata)
    try:
        is_owned = _set_owner(place, metadata, not_kept, follow_symlinks=follow)
    except MetadataTrouble as error:
        is_owned, trouble = False, error
    try:
        set_attributes(place, metadata.attributes, not_kept, follow_symlinks=follow)
    except MetadataTrouble as error:
        trouble = trouble or error
    if not is_symlink:
        set_mode(place, mode if is_owned else mode & ~_SET_ID_BITS, not_kept)
    _set_time(place, metadata.mtime_ns, not_kept, follow_symlinks=follow)
    if trouble is not None:
        raise trouble


def _set_owner(place: int | str, metadata: Metadata, not_kept: NotKept, *, follow_symlinks: bool) -> bool:
    """Whether ``place`` belongs to whom it should; raises MetadataTrouble for what is no matter of rights."""
    if os.geteuid() != 0:
        return _set_group(place, metadata, not_kept, follow_symlinks=follow_symlinks)
    refusal = None
    try:
        _chown(place, metadata.uid, metadata.gid, follow_symlinks=follow_symlinks)
    except OSError as error:
        refusal = error
    except OverflowError as error:
        raise MetadataTrouble(f"cannot set its owner: {error}") from error
    # Some file systems have one owner for all, and say that they have set another.
    if has_owner(_look(place, follow_symlinks=follow_symlinks), metadata):
        return True
    if refusal is None:
        not_kept.unsupported["owner"] += 1
    elif not not_kept.add("owner", refusal, may_set=True):
        raise MetadataTrouble(f"cannot set its owner: {refusal}") from refusal
    return False


def _set_group(place: int | str, metadata: Metadata, not_kept: NotKept, *, follow_symlinks: bool) -> bool:
    """Users may give files to their own groups, and to nobody else."""
    is_own = metadata.uid == os.geteuid()
    if is_own and metadata.gid == os.getegid():
        return True
    if metadata.gid in os.getgroups():
        with suppress(OSError):
            _chown(place, -1, metadata.gid, follow_symlinks=follow_symlinks)
            if is_own:
                return True
    not_kept.not_kept["owner"] += 1
    return False


def _chown(place: int | str, uid: int, gid: int, *, follow_symlinks: bool) -> None:
    if isinstance(place, int):  # which cannot be a symlink
        os.chown(place, uid, gid)
    else:
        os.chown(place, uid, gid, follow_symlinks=follow_symlinks)


def set_mode(place: int | str, mode: int, not_kept: NotKept) -> None:
    """Raises MetadataTrouble."""
    refusal = None
    try:
        os.chmod(place, mode)
    except OSError as error:
        refusal = error
    # Some file systems have one mode for all, and say that they have set another.
    if stat.S_IMODE(_look(place).st_mode) == mode:
        return
    if refusal is None:
        not_kept.unsupported["mode"] += 1
    elif not not_kept.add("mode", refusal, may_set=_is_own(place)):
        raise MetadataTrouble(f"cannot set its mode: {refusal}") from refusal


def _set_time(place: int | str, mtime_ns: int, not_kept: NotKept, *, follow_symlinks: bool) -> None:
    times, refusal = (mtime_ns, mtime_ns), None
    try:
        if isinstance(place, int):
            os.utime(place, ns=times)
        else:
            os.utime(place, ns=times, follow_symlinks=follow_symlinks)
    except OSError as error:
        refusal = error
    except OverflowError as error:
        raise MetadataTrouble(f"cannot set its time: {error}") from error
    # Many file systems round times, and ext4 ends in the year 2446.
    if _look(place, follow_symlinks=follow_symlinks).st_mtime_ns == mtime_ns:
        return
    if refusal is None:
        not_kept.unsupported["time"] += 1
    elif not not_kept.add("time", refusal, may_set=_is_own(place, follow_symlinks=follow_symlinks)):
        raise MetadataTrouble(f"cannot set its time: {refusal}") from refusal


def _is_own(place: int | str, *, follow_symlinks: bool = True) -> bool:
    """Whether this user may set the mode and the time of ``place``."""
    return os.geteuid() in (0, _look(place, follow_symlinks=follow_symlinks).st_uid)


def _look(place: int | str, *, follow_symlinks: bool = True) -> os.stat_result:
    return os.fstat(place) if isinstance(place, int) else os.stat(place, follow_symlinks=follow_symlinks)


def set_symlink_metadata(folder: int, name: str, metadata: Metadata, not_kept: NotKept) -> None:
    """Set owner, attributes and time of a symlink itself.  Raises MetadataTrouble."""
    set_metadata(f"/proc/self/fd/{folder}/{name}", metadata, not_kept, is_symlink=True)


def has_metadata(found: os.stat_result, size_bytes: int, metadata: Metadata) -> bool:
    """Whether a file looks exactly as :func:`set_metadata` would leave it at this size."""
    return (
        has_content(found, size_bytes, metadata)
        and stat.S_IMODE(found.st_mode) == effective_mode(metadata)
        and (os.geteuid() != 0 or has_owner(found, metadata))
    )


def has_content(found: os.stat_result, size_bytes: int, metadata: Metadata) -> bool:
    """Whether size and time say that a file has not changed since the backup.

    The target's file system may have rounded its time down.
    """
    now_ns, then_ns = found.st_mtime_ns, metadata.mtime_ns
    return found.st_size == size_bytes and (now_ns == then_ns or (now_ns < then_ns and is_same_time(now_ns, then_ns)))


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
