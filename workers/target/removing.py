"""Removes what the target holds and the snapshot does not."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from workers.target.files import stat_entry
from workers.target.folders import Folders
from workers.target.metadata.opening_up import in_folder


def remove_surplus(folders: Folders, path: str) -> None:
    """Remove what is at ``path``, a folder only if it is empty.  Idempotent.  Raises TargetTrouble and OSError."""
    with suppress(FileNotFoundError):
        folder, name = folders.parent_of(path, make=False)
        found = stat_entry(folder, name)
        if found is not None:
            remove = os.rmdir if stat.S_ISDIR(found.st_mode) else os.unlink
            in_folder(folder, lambda: remove(name, dir_fd=folder))
