"""Mode, owner, time and extended attributes of a restored entry."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from tasks.orders import TargetEntry
from tasks.sources.metadata import MetadataKind
from tasks.sources.mtimes import is_same_time
from workers.target.metadata.attributes import set_attributes
from workers.target.metadata.not_kept import NotKept
from workers.target.metadata.place import Place
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
    where, mode, trouble = Place(place, is_symlink), effective_mode(metadata), None
    try:
        is_owned = _set_owner(where, metadata, not_kept)
    except MetadataTrouble as error:
        is_owned, trouble = False, error
    try:
        set_attributes(place, metadata.attributes, not_kept, follow_symlinks=not is_symlink)
    except MetadataTrouble as error:
        trouble = trouble or error
    if not is_symlink:
        set_mode(place, mode if is_owned else mode & ~_SET_ID_BITS, not_kept)
    _set_time(where, metadata.mtime_ns, not_kept)
    if trouble is not None:
        raise trouble


def _set_owner(place: Place, metadata: Metadata, not_kept: NotKept) -> bool:
    """Whether ``place`` belongs to whom it should; raises MetadataTrouble for what is no matter of rights."""
    if os.geteuid() != 0:
        return _set_group(place, metadata, not_kept)
    refusal = None
    try:
        place.set_owner(metadata.uid, metadata.gid)
    except OSError as error:
        refusal = error
    except OverflowError as error:
        raise MetadataTrouble(f"cannot set its owner: {error}") from error
    # Some file systems have one owner for all, and say that they have set another.
    if has_owner(place.look(), metadata):
        return True
    _count(place, "owner", refusal, not_kept, may_set=True)
    return False


def _set_group(place: Place, metadata: Metadata, not_kept: NotKept) -> bool:
    """Users may give files to their own groups, and to nobody else."""
    is_own = metadata.uid == os.geteuid()
    if metadata.gid in (os.getegid(), *os.getgroups()):
        # In a folder with the set-group-id bit a new file has its group.
        if place.look().st_gid != metadata.gid:
            with suppress(OSError):
                place.set_owner(-1, metadata.gid)
        if is_own and place.look().st_gid == metadata.gid:
            return True
    not_kept.not_kept["owner"] += 1
    return False


def set_mode(place: int | str, mode: int, not_kept: NotKept) -> None:
    """Raises MetadataTrouble."""
    where, refusal = Place(place), None
    try:
        os.chmod(place, mode)
    except OSError as error:
        refusal = error
    # Some file systems have one mode for all, and say that they have set another.
    if stat.S_IMODE(where.look().st_mode) != mode:
        _count(where, "mode", refusal, not_kept, may_set=where.is_own())


def _set_time(place: Place, mtime_ns: int, not_kept: NotKept) -> None:
    refusal = None
    try:
        place.set_time(mtime_ns)
    except OSError as error:
        refusal = error
    except OverflowError as error:
        raise MetadataTrouble(f"cannot set its time: {error}") from error
    # Many file systems round times, and ext4 ends in the year 2446.
    if place.look().st_mtime_ns != mtime_ns:
        _count(place, "time", refusal, not_kept, may_set=place.is_own())


def _count(place: Place, kind: MetadataKind, refusal: OSError | None, not_kept: NotKept, *, may_set: bool) -> None:
    """Count what was refused, or dropped in silence; raises MetadataTrouble where only this entry is in the way."""
    if refusal is None:
        not_kept.unsupported[kind] += 1
    elif place.is_sealed():
        raise MetadataTrouble(f"cannot set its {kind}: it is immutable or append-only") from refusal
    elif not not_kept.add(kind, refusal, may_set=may_set):
        raise MetadataTrouble(f"cannot set its {kind}: {refusal}") from refusal


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
