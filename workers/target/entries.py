"""Entries of the target that are not regular files: folders, links, FIFOs, device nodes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from tasks.orders import KEEP_OTHERS, Overwrite, TargetEntry
from workers.target.content.sweeping import sweep_folder
from workers.target.content.whole_files import take_place
from workers.target.files import remove_entry, stat_entry
from workers.target.folders import Folders, make_folder
from workers.target.metadata.metadata import metadata_of, set_metadata, set_symlink_metadata
from workers.target.metadata.opening_up import in_folder
from workers.target.overwrite import stays
from workers.target.refusals import NotMade, counted
from workers.target.spelling import refuse_other_spelling
from workers.target.troubles import TargetTrouble
from workers.target.unfinished import is_unfinished_folder, temporary_name

_TRIES = 3

#: Makes the entry under a name in a folder; raises FileExistsError when something is there.
Make = Callable[[int, str], None]
#: Whether the entry is there already.
IsSame = Callable[[int, str, os.stat_result], bool]

NODE_TYPES = {"fifo": stat.S_IFIFO, "character": stat.S_IFCHR, "block": stat.S_IFBLK}


def restore_folder(folders: Folders, entry: TargetEntry, overwrite: Overwrite, run_id: str, *, sweep: bool) -> None:
    """Make an unfinished folder if it is missing; with ``finish`` set its metadata too.

    The target itself, and with ``never`` and ``if-newer`` any folder, keeps the metadata that it had before this
    restore.  ``sweep`` removes what interrupted restores left in it under temporary names.
    """
    if entry.path:
        above, name = folders.parent_of(entry.path)
        _make_folder_at(above, name, overwrite)
    else:
        above, name = folders.root, "."
    if not (entry.finish or sweep):
        return
    descriptor = _open_path(above, name, os.O_DIRECTORY)
    try:
        if sweep:
            sweep_folder(descriptor, run_id)
        is_kept = not entry.path or overwrite in KEEP_OTHERS
        if entry.finish and not (is_kept and not is_unfinished_folder(os.fstat(descriptor))):
            set_metadata(_place(descriptor), metadata_of(entry), folders.not_kept)
    finally:
        os.close(descriptor)


def restore_symlink(folders: Folders, entry: TargetEntry, overwrite: Overwrite, run_id: str) -> bool:
    """Returns whether it was made; false when something else is there and stays."""

    def make(folder: int, name: str) -> None:
        with counted("symlink", folder, folders.not_kept):
            os.symlink(entry.link, name, dir_fd=folder)

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return stat.S_ISLNK(found.st_mode) and os.readlink(name, dir_fd=folder) == entry.link

    folder, name = folders.parent_of(entry.path)
    if not make_entry(folder, entry, overwrite, run_id, make, is_same):
        return False
    in_folder(folder, lambda: set_symlink_metadata(folder, name, metadata_of(entry), folders.not_kept))
    return True


def restore_node(folders: Folders, entry: TargetEntry, overwrite: Overwrite, run_id: str) -> bool:
    """Make a FIFO, or as root a device node."""
    node_type = NODE_TYPES[entry.kind]
    if entry.kind != "fifo" and os.geteuid() != 0:
        folders.not_kept.not_kept["device-node"] += 1
        raise NotMade

    def make(folder: int, name: str) -> None:
        with counted("fifo" if entry.kind == "fifo" else "device-node", folder, folders.not_kept):
            _make_node(folder, name, node_type, entry.device_number)

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return stat.S_IFMT(found.st_mode) == node_type and found.st_rdev == entry.device_number

    folder, name = folders.parent_of(entry.path)
    if not make_entry(folder, entry, overwrite, run_id, make, is_same):
        return False
    # Opened with O_PATH only: opening a device may rewind a tape.
    descriptor = _open_path(folder, name)
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != node_type:
            raise TargetTrouble("unsafe-target", "it was replaced while it was being made")
        set_metadata(_place(descriptor), metadata_of(entry), folders.not_kept)
    finally:
        os.close(descriptor)
    return True


def _make_node(folder: int, name: str, node_type: int, device_number: int) -> None:
    try:
        os.mknod(name, node_type | 0o600, device_number, dir_fd=folder)
    except FileExistsError:
        raise
    except OSError:
        # exfat-fuse refuses it, and leaves a file there.
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _make_folder_at(above: int, name: str, overwrite: Overwrite) -> None:
    for _ in range(_TRIES):
        if make_folder(above, name):
            return
        found = stat_entry(above, name)
        refuse_other_spelling(above, name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            return
        if found is not None and overwrite != "always":
            raise TargetTrouble("exists", "something that is not a folder is in its place")
        if found is not None:
            remove_entry(above, name, found)
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


def make_entry(folder: int, entry: TargetEntry, overwrite: Overwrite, run_id: str, make: Make, is_same: IsSame) -> bool:
    """Make what is missing at the entry's path, or replace it; returns false where it stays.

    Raises what ``make`` raises.
    """
    name = entry.path.rpartition("/")[2]
    for _ in range(_TRIES):
        found = stat_entry(folder, name)
        if found is not None and stays(found, overwrite, entry.mtime_ns):
            return False
        if found is not None and in_folder(folder, partial(is_same, folder, name, found)):
            return True
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise TargetTrouble("exists", "a folder is in its place")
        with suppress(FileExistsError):
            if found is None:
                in_folder(folder, partial(make, folder, name))
            else:
                _replace(folder, name, temporary_name(run_id, entry.path), make)
            return True
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


def _replace(folder: int, name: str, temporary: str, make: Make) -> None:
    """Make the entry beside what is there, and rename it over that."""
    with suppress(FileNotFoundError):  # an earlier delivery of the order may have ended here
        in_folder(folder, lambda: os.unlink(temporary, dir_fd=folder))
    in_folder(folder, partial(make, folder, temporary))
    try:
        take_place(folder, temporary, name)
    except (OSError, TargetTrouble):
        with suppress(OSError):
            in_folder(folder, lambda: os.unlink(temporary, dir_fd=folder))
        raise


def _open_path(folder: int, name: str, flags: int = 0) -> int:
    return in_folder(folder, lambda: os.open(name, os.O_PATH | os.O_NOFOLLOW | flags, dir_fd=folder))


def _place(descriptor: int) -> str:
    """A path to the file of an O_PATH descriptor, which does not support fchmod."""
    return f"/proc/self/fd/{descriptor}"
