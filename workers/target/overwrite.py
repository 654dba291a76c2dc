"""What becomes of a file that is there already: the rows for files of docs/restore.md.  Pure, but for the mending."""

from __future__ import annotations

import os
import stat
from typing import Literal

from tasks.orders import Overwrite
from tasks.sources.mtimes import is_same_time
from workers.target.files import stat_entry
from workers.target.folders import Folders
from workers.target.metadata.attributes import has_attributes, lacks_attributes, set_attributes
from workers.target.metadata.metadata import Metadata, effective_mode, has_content, has_metadata, has_owner, set_mode
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import TargetTrouble
from workers.target.unfinished import is_unfinished

#: ``mend``: its content stays, and its mode is set.
Fate = Literal["write", "keep", "mend"]


def fate_of(found: os.stat_result | None, overwrite: Overwrite, size_bytes: int, metadata: Metadata) -> Fate:
    """Decide about what was ``found`` (None: nothing) where the snapshot has a file.

    An unfinished file of an earlier restore, or of an earlier delivery of the order, never stays.  A file of another
    owner is written again: its content cannot be trusted to be that of the snapshot.
    """
    if found is None or overwrite == "always" or is_unfinished(found):
        return "write"
    if stays(found, overwrite, metadata.mtime_ns):
        return "keep"
    if overwrite == "if-newer":
        return "write"
    if not stat.S_ISREG(found.st_mode) or not has_content(found, size_bytes, metadata):
        return "write"
    if has_metadata(found, size_bytes, metadata):
        return "keep"
    # A hard link may lead out of the target.
    return "mend" if found.st_nlink == 1 and has_owner(found, metadata) else "write"


def stays(found: os.stat_result, overwrite: Overwrite, mtime_ns: int) -> bool:
    """Whether what was ``found`` stays whatever it is; the snapshot's entry was last changed at ``mtime_ns``."""
    return overwrite == "never" or (overwrite == "if-newer" and not is_newer(mtime_ns, found.st_mtime_ns))


def is_newer(one_ns: int, other_ns: int) -> bool:
    """Whether the first time is the later one, even if a file system has rounded the other."""
    return one_ns > other_ns and not is_same_time(one_ns, other_ns)


def keeps_file(folders: Folders, path: str, overwrite: Overwrite, size_bytes: int, metadata: Metadata) -> bool:
    """Whether the file at ``path`` stays; its mode and attributes are mended if need be.

    Raises TargetTrouble and OSError.
    """
    if overwrite == "always":
        return False
    folder, name = folders.parent_of(path)
    found = stat_entry(folder, name)
    fate = fate_of(found, overwrite, size_bytes, metadata)
    if found is not None and (fate == "mend" or (fate == "keep" and metadata.attributes and overwrite == "if-changed")):
        return _is_mended(folders, folder, name, found, metadata)
    return fate != "write"


def _is_mended(folders: Folders, folder: int, name: str, found: os.stat_result, metadata: Metadata) -> bool:
    """Whether the file that was ``found`` has its attributes and mode now; raises TargetTrouble and OSError.

    False for one that lacks some and has another name, which may lie outside the target: it must be written again.
    """
    handle = in_folder(folder, lambda: os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder))
    try:
        opened = os.fstat(handle)
        if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            raise TargetTrouble("unsafe-target", "the file was replaced while its mode was set")
        place = f"/proc/self/fd/{handle}"
        if opened.st_nlink != 1:
            return not lacks_attributes(place, metadata.attributes)
        if not has_attributes(place, metadata.attributes):
            set_attributes(place, metadata.attributes, folders.not_kept)
        if stat.S_IMODE(opened.st_mode) != effective_mode(metadata):
            set_mode(place, effective_mode(metadata), folders.not_kept)
        return True
    finally:
        os.close(handle)
