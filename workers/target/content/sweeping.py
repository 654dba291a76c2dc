"""Removes what an interrupted restore left in a folder under temporary names."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from workers.target.files import stat_entry
from workers.target.metadata.opening_up import in_folder
from workers.target.unfinished import is_left_over


def sweep_folder(folder: int, run_id: str) -> None:
    """Remove what other runs of this user left in ``folder``, an O_PATH descriptor.  Best effort."""
    with suppress(OSError):
        for name in in_folder(folder, lambda: os.listdir(f"/proc/self/fd/{folder}")):
            if is_left_over(name, run_id):
                _remove(folder, name)


def _remove(folder: int, name: str) -> None:
    found = stat_entry(folder, name)
    if found is not None and found.st_uid == os.geteuid() and not stat.S_ISDIR(found.st_mode):
        with suppress(OSError):
            in_folder(folder, lambda: os.unlink(name, dir_fd=folder))
