"""Decides which sources are read raw.

``--mode raw``: all of them, or the command is refused.  ``--mode auto``: block devices, and mount points of file
systems with more than ``--raw-above`` files, where reading raw is possible and yields a consistent image; otherwise the
backup reads file by file and says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from producer.host.places import file_systems_of
from producer.host.scouting.looks import SilentError, give_sign, look
from producer.raw.agents import refuse_what_agents_cannot_find
from producer.raw.mounts import (
    Mount,
    UnknownMountsError,
    holders_of,
    lower_devices,
    mount_at,
    mounts,
    mounts_of,
    number_of,
    numbers_on,
)
from producer.raw.raw_path import refuse_what_is_no_raw_volume
from producer.requests import BackupRequest, Source
from tasks.errors import UsageError

#: Takes one line for the user.
Tell = Callable[[str], None]

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"})
#: The kernel can freeze these.
_FREEZABLE = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "reiserfs", "gfs2"})
_LAYERED = frozenset({"overlay", "aufs", "tmpfs", "ramfs", "virtiofs"})
_SEVERAL_DEVICES = frozenset({"btrfs", "zfs", "bcachefs"})


def choose_modes(request: BackupRequest, tell: Tell, *, has_agents: bool = False) -> BackupRequest:
    """The request with the mode of each source set, and folders that are read raw replaced by their raw volumes.

    ``tell`` gets a line for each switch.  A source that is raw already stays so: an interrupted backup continues as it
    began.  With ``has_agents`` every source is read at its own place, which agents know from their own configuration.
    One that does not answer stays as it is.  Raises UsageError for what cannot be read as requested.
    """
    # Asked here first: the scouts know then which devices are silent, and do not wait for them.
    file_systems_of(request.devices)
    sources = []
    by_path = {source.path: source for source in request.sources}
    for source in request.sources:
        try:
            chosen, notes = look(source.path, lambda path: _choose(by_path[path], request, has_agents=has_agents))
        except SilentError:
            chosen, notes = source, []
        sources.append(chosen)
        for note in notes:
            tell(note)
    return replace(request, sources=tuple(sources))


def _choose(source: Source, request: BackupRequest, *, has_agents: bool) -> tuple[Source, list[str]]:
    if not source.path.exists():
        raise UsageError(
            f"no such source: {source.path}", hint="should the pre command have made it?", path=str(source.path)
        )
    by_itself = _device_by_itself if has_agents else _by_itself
    choose = (
        _still_raw if source.mode == "raw" else {"files": _as_files, "raw": _as_raw, "auto": by_itself}[request.mode]
    )
    notes: list[str] = []
    chosen = choose(source, request, notes.append)
    if has_agents:
        refuse_what_agents_cannot_find(source, chosen)
    return chosen, notes


def explain(request: BackupRequest, files_counts: Mapping[str, int], *, has_agents: bool = False) -> Iterator[str]:
    """A line for each source that has more files than ``--raw-above`` but was read file by file."""
    for source in request.sources:
        count = files_counts.get(source.name, 0)
        if request.mode == "auto" and source.mode == "files" and count > request.raw_above_count:
            why = "agents read it by their own configuration" if has_agents else _why_not_raw(source, request)
            if why:
                yield f"{source.path} has {count} files and is read file by file: {why}"


def _why_not_raw(source: Source, request: BackupRequest) -> str:
    try:
        return look(source.path, lambda _: why_not_raw(source, request))
    except SilentError as error:
        return error.message


def why_not_raw(source: Source, request: BackupRequest) -> str:
    """Why a folder cannot be read raw, for the user; "" if it can."""
    try:
        mount = mount_at(source.path)
    except UnknownMountsError as error:
        return error.message
    if mount is None:
        return "it is a folder inside a file system, not the mount point of one"
    return _why_not_kind(mount) or _why_not_raw_volume(mount, request) or _why_not_alike(source, mount, request)


def _as_files(source: Source, request: BackupRequest, tell: Tell) -> Source:
    return source


def _still_raw(source: Source, request: BackupRequest, tell: Tell) -> Source:
    _check_raw_volume(source.path, request)
    _warn_about_writers(source.path, request, tell)
    return source


def _as_raw(source: Source, request: BackupRequest, tell: Tell) -> Source:
    raw_volume = source.path
    if raw_volume.is_dir():
        mount = mount_at(raw_volume)
        why = "it is not a mount point" if mount is None else _why_not_kind(mount)
        if mount is None or why:
            raise UsageError(
                f"source {raw_volume} cannot be read raw: {why}", hint="name a block device or an image file"
            )
        raw_volume = device_of(mount)
    _check_raw_volume(raw_volume, request)
    _warn_about_writers(raw_volume, request, tell)
    _warn_about_holders(raw_volume, tell)
    return replace(source, path=raw_volume, mode="raw")


def _by_itself(source: Source, request: BackupRequest, tell: Tell) -> Source:
    if not source.path.is_dir():
        return _device_by_itself(source, request, tell)
    if why_not_raw(source, request):
        return source
    if not has_more_files_than(source.path, request.raw_above_count):
        return source
    mount = mount_at(source.path)
    assert mount is not None
    raw_volume = device_of(mount)
    _warn_about_holders(raw_volume, tell)
    tell(
        f"{source.path} has more than {request.raw_above_count} files: its device {raw_volume} is read whole "
        f"(--mode files reads file by file)"
    )
    return replace(source, path=raw_volume, mode="raw")


def _device_by_itself(source: Source, request: BackupRequest, tell: Tell) -> Source:
    if source.path.is_char_device():
        refuse_what_is_no_raw_volume(source.path)
    if not source.path.is_block_device():
        return source
    _check_raw_volume(source.path, request)
    _warn_about_holders(source.path, tell)
    why = _why_not_still(source.path, request)
    if not why:
        return replace(source, mode="raw")
    writable = _writable(source.path)
    whole = next((mount for mount in writable if mount.root == "/"), None)
    if whole is None or len({mount.number for mount in writable}) > 1:
        raise UsageError(f"no consistent image can be read: {why}", hint="unmount it, or use --freeze")
    tell(f"its files are read one by one: {why}")
    return replace(source, path=Path(whole.point))


def _check_raw_volume(raw_volume: Path, request: BackupRequest) -> None:
    refuse_what_is_no_raw_volume(raw_volume)
    if not os.access(raw_volume, os.R_OK):
        raise UsageError(f"{raw_volume} cannot be read", hint="reading a block device needs root, or the group disk")
    device = _device_on(raw_volume, request)
    if device:
        raise UsageError(
            f"device {device} ({request.devices[device]}) lies on {raw_volume}", hint="a backup must not contain itself"
        )


def _device_on(raw_volume: Path, request: BackupRequest) -> str | None:
    """The name of a backup device whose folder lies on the raw volume."""
    lower = {*numbers_on(raw_volume), str(raw_volume.resolve())}
    for name, number in file_systems_of(request.devices).items():
        if lower.intersection(lower_devices(number_of(number))):
            return name
    return None


def _why_not_kind(mount: Mount) -> str:
    if mount.kind in _NETWORK:
        return f"{mount.kind} is a network file system, without a block device here"
    if mount.kind in _SEVERAL_DEVICES:
        return f"{mount.kind} may lie on several devices, and shares them with other trees"
    if mount.kind in _LAYERED or mount.kind.startswith("fuse"):
        return f"{mount.kind} has no block device of its own"
    if mount.root != "/":
        return "only a part of its file system is mounted there"
    try:
        device_of(mount)
    except UsageError as error:
        return error.message
    return ""


def _why_not_raw_volume(mount: Mount, request: BackupRequest) -> str:
    raw_volume = device_of(mount)
    if not os.access(raw_volume, os.R_OK):
        return f"its block device {raw_volume} cannot be read by this user"
    device = _device_on(raw_volume, request)
    if device:
        return f"device {device} lies on the same file system"
    return _why_not_still(raw_volume, request)


def _why_not_still(raw_volume: Path, request: BackupRequest) -> str:
    """Why the file systems on the raw volume cannot be held still; "" if none is mounted or they can."""
    writable = _writable(raw_volume)
    if not writable:
        return ""
    where = f"{raw_volume} is mounted writable on {writable[0].point}"
    if not request.freeze:
        return f"{where}; --freeze would hold it still while it is read"
    if os.geteuid():
        return f"{where}, and only root can freeze it"
    unfit = [mount.kind for mount in writable if mount.kind not in _FREEZABLE]
    return f"{where}, and {unfit[0]} cannot be frozen" if unfit else ""


def _why_not_alike(source: Source, mount: Mount, request: BackupRequest) -> str:
    """Why a raw image would hold other data than the backup of the files."""
    exclusions = request.exclusions
    if source.only is not None or exclusions.leave_out_entries:
        return "files are excluded, and a raw image would hold them"
    inside = [other for other in mounts() if other.point.startswith(f"{mount.point.rstrip('/')}/")]
    if inside and not exclusions.one_file_system:
        return f"another file system is mounted in it, on {inside[0].point} (-x leaves it out)"
    return ""


def _writable(raw_volume: Path) -> list[Mount]:
    return [mount for mount in mounts_of(raw_volume) if not mount.is_read_only]


def _warn_about_writers(raw_volume: Path, request: BackupRequest, tell: Tell) -> None:
    for mount in [] if request.freeze else _writable(raw_volume):
        tell(
            f"WARNING: {raw_volume} is mounted writable on {mount.point}: an image that is read while it is written is "
            f"not consistent; unmount it, mount it read-only, or use --freeze"
        )


def _warn_about_holders(raw_volume: Path, tell: Tell) -> None:
    holders = holders_of(raw_volume)
    if holders:
        tell(
            f"WARNING: {raw_volume} is part of {', '.join(holders)} (RAID, LVM or encryption), which may write to it; "
            f"back up /dev/{holders[0]}"
        )


def device_of(mount: Mount) -> Path:
    """The block device of a mount; raises UsageError when there is none here."""
    named = Path(mount.source)
    for path in (named, Path("/dev") / Path(os.path.realpath(f"/sys/dev/block/{mount.number}")).name):
        if path.is_block_device() and number_of(path.stat().st_rdev) == mount.number:
            return path
    raise UsageError(f"the file system on {mount.point} ({mount.kind}) has no block device here", hint="see --mode")


def has_more_files_than(folder: Path, limit_count: int) -> bool:
    """Count the regular files of one file system, no further than needed; unreadable folders are not counted."""
    used = os.statvfs(folder)
    if used.f_files and used.f_files - used.f_ffree <= limit_count:
        return False  # it does not even have that many inodes; FAT has none and reports 0
    pending, count, device = [str(folder)], 0, folder.stat().st_dev
    while pending:
        give_sign()
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.stat(follow_symlinks=False).st_dev == device:
                            pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        count += 1
                        if count > limit_count:
                            return True
        except OSError:
            continue
    return False
