"""File flags: immutable, append-only, no-dump."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import stat

from tasks.orders import TargetEntry
from tasks.sources.metadata import KEPT_FLAGS, NO_DUMP
from workers.target.folders import Folders
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import MetadataTrouble

#: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: in and out, a long by their definition and an int in fact.
_GET, _SET = 0x80086601, 0x40086602
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def restore_flags(folders: Folders, entry: TargetEntry) -> None:
    """Give the file or folder at the entry's path its flags.  Idempotent.

    What this user may not set, or the file system does not have, is counted.  Raises MetadataTrouble, and OSError.
    """
    if not entry.path:
        return
    folder, name = folders.parent_of(entry.path, make=False)
    try:
        descriptor = in_folder(folder, lambda: os.open(name, _OPEN, dir_fd=folder))
        try:
            if not _is_file_or_folder(descriptor):
                return
            _set_flags(descriptor, entry.flags)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return
    except OSError as error:
        may_set = os.geteuid() == 0 or entry.flags == NO_DUMP
        if error.errno != errno.ELOOP and not folders.not_kept.add("flags", error, may_set=may_set):
            raise MetadataTrouble(f"cannot set its flags: {error.strerror}") from error


def _is_file_or_folder(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _set_flags(descriptor: int, flags: int) -> None:
    try:
        _set(descriptor, flags)
    except PermissionError:
        # Immutable and append-only are root's to set, no-dump is everybody's.
        if flags & NO_DUMP and flags != NO_DUMP:
            _set(descriptor, NO_DUMP)
        raise


def _set(descriptor: int, flags: int) -> None:
    present = array.array("i", [0, 0])
    fcntl.ioctl(descriptor, _GET, present)
    wanted = (present[0] & ~KEPT_FLAGS) | flags
    if wanted != present[0]:
        fcntl.ioctl(descriptor, _SET, array.array("i", [wanted, 0]))
