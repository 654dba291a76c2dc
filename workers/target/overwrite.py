"""What becomes of a file that is there already: the rows for files of docs/restore.md.  Pure, but for the mending."""

from __future__ import annotations

import os
import stat
from typing import Literal

from workers.target.files import stat_entry
from workers.target.folders import Folders
from workers.target.metadata.attributes import has_attributes, set_attributes
from workers.target.metadata.metadata import Metadata, effective_mode, has_content, has_metadata, has_owner, set_mode
from workers.target.opening_up import in_folder
from workers.target.troubles import TargetTrouble
from workers.target.unfinished import is_unfinished

Overwrite = Literal["always", "if-changed", "never"]

#: ``mend``: its content stays, and its mode is set.
Fate = Literal["write", "keep", "mend"]


def fate_of(found: os.stat_result | None, overwrite: Overwrite, size_bytes: int, metadata: Metadata) -> Fate:
    """Decide about what was ``found`` (None: nothing) where the snapshot has a file.

    An unfinished file of an earlier restore, or of an earlier delivery of the order, never stays.  A file of another
    owner is written again: its content cannot be trusted to be that of the snapshot.
    """
    if found is None or overwrite == "always" or is_unfinished(found):
        return "write"
    if overwrite == "never":
        return "keep"
    if not stat.S_ISREG(found.st_mode) or not has_content(found, size_bytes, metadata):
        return "write"
    if has_metadata(found, size_bytes, metadata):
        return "keep"
    # A hard link may lead out of the target.
    return "mend" if found.st_nlink == 1 and has_owner(found, metadata) else "write"


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
        _mend(folders, folder, name, found, metadata)
    return fate != "write"


def _mend(folders: Folders, folder: int, name: str, found: os.stat_result, metadata: Metadata) -> None:
    """Give the file that was ``found`` its attributes and mode; raises TargetTrouble and OSError."""
    handle = in_folder(folder, lambda: os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder))
    try:
        opened = os.fstat(handle)
        if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            raise TargetTrouble("unsafe-target", "the file was replaced while its mode was set")
        place = f"/proc/self/fd/{handle}"
        # Another name of the file may lie outside the target.
        if opened.st_nlink != 1:
            return
        if not has_attributes(place, metadata.attributes):
            set_attributes(place, metadata.attributes, folders.not_kept)
        if stat.S_IMODE(opened.st_mode) != effective_mode(metadata):
            set_mode(place, effective_mode(metadata), folders.not_kept)
    finally:
        os.close(handle)
