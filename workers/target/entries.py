"""Entries of the target that are not regular files: folders, links, FIFOs, device nodes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from tasks.orders import TargetEntry
from workers.target.files import remove_entry, stat_entry
from workers.target.folders import Folders, make_folder
from workers.target.metadata import Metadata, set_metadata, set_symlink_metadata
from workers.target.overwrite import Overwrite
from workers.target.troubles import TargetTrouble

_TRIES = 3

#: Makes the entry under a name in a folder; raises FileExistsError when something is there.
_Make = Callable[[int, str], None]
#: Whether the entry is there already.
_IsSame = Callable[[int, str, os.stat_result], bool]

_NODE_TYPES = {"fifo": stat.S_IFIFO, "character": stat.S_IFCHR, "block": stat.S_IFBLK}


def restore_folder(folders: Folders, entry: TargetEntry, overwrite: Overwrite) -> None:
    """Make a folder with mode 0700 if it is missing; with ``finish`` set its metadata too."""
    if entry.path:
        above, name = folders.parent_of(entry.path)
        _make_folder_at(above, name, overwrite)
    else:
        above, name = folders.root, "."
    if entry.finish:
        descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        try:
            set_metadata(_place(descriptor), _metadata(entry))
        finally:
            os.close(descriptor)


def restore_symlink(folders: Folders, entry: TargetEntry, overwrite: Overwrite) -> bool:
    """Returns whether it was made; false when something else is there and stays."""

    def make(folder: int, name: str) -> None:
        os.symlink(entry.link, name, dir_fd=folder)

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=folder) == entry.link

    folder, name = folders.parent_of(entry.path)
    if not _make_entry(folder, name, overwrite, make, is_same):
        return False
    set_symlink_metadata(folder, name, _metadata(entry))
    return True


def restore_hard_link(folders: Folders, entry: TargetEntry, overwrite: Overwrite) -> bool:
    """Make ``entry.path`` a hard link of the file at ``entry.link``.  The metadata is that file's."""
    folder, name = folders.parent_of(entry.path)
    try:
        first_folder, first_name = folders.parent_of(entry.link, make=False)
        first = os.stat(first_name, dir_fd=first_folder, follow_symlinks=False)
    except FileNotFoundError as error:
        raise TargetTrouble("missing", f"the file that it links to is missing: {entry.link}") from error

    def make(folder: int, name: str) -> None:
        os.link(first_name, name, src_dir_fd=first_folder, dst_dir_fd=folder, follow_symlinks=False)

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return (found.st_dev, found.st_ino) == (first.st_dev, first.st_ino)

    return _make_entry(folder, name, overwrite, make, is_same)


def restore_node(folders: Folders, entry: TargetEntry, overwrite: Overwrite) -> bool:
    """Make a FIFO, or as root a device node."""
    node_type = _NODE_TYPES[entry.kind]
    if entry.kind != "fifo" and os.geteuid() != 0:
        raise TargetTrouble("not-root", f"only root can make a {entry.kind} device")

    def make(folder: int, name: str) -> None:
        os.mknod(name, node_type | 0o600, entry.device_number, dir_fd=folder)

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return stat.S_IFMT(found.st_mode) == node_type and found.st_rdev == entry.device_number

    folder, name = folders.parent_of(entry.path)
    if not _make_entry(folder, name, overwrite, make, is_same):
        return False
    # Opened with O_PATH only: opening a device may rewind a tape.
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != node_type:
            raise TargetTrouble("unsafe-target", "it was replaced while it was being made")
        set_metadata(_place(descriptor), _metadata(entry))
    finally:
        os.close(descriptor)
    return True


def _make_folder_at(above: int, name: str, overwrite: Overwrite) -> None:
    for _ in range(_TRIES):
        if make_folder(above, name):
            return
        found = stat_entry(above, name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            return
        if found is not None and overwrite != "always":
            raise TargetTrouble("exists", "something that is not a folder is in its place")
        if found is not None:
            remove_entry(above, name, found)
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


def _make_entry(folder: int, name: str, overwrite: Overwrite, make: _Make, is_same: _IsSame) -> bool:
    for _ in range(_TRIES):
        try:
            make(folder, name)
            return True
        except FileExistsError:
            found = stat_entry(folder, name)
        if found is None:
            continue
        if overwrite == "never":
            return False
        if is_same(folder, name, found):
            return True
        remove_entry(folder, name, found)
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


def _metadata(entry: TargetEntry) -> Metadata:
    return Metadata(entry.mode, entry.uid, entry.gid, entry.mtime_ns)


def _place(descriptor: int) -> str:
    """A path to the file of an O_PATH descriptor, which does not support fchmod."""
    return f"/proc/self/fd/{descriptor}"
