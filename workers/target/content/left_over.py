"""What an interrupted restore left of a file of several segments: kept beside the new one, which takes from it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from workers.target.files import stat_entry
from workers.target.metadata.opening_up import in_folder
from workers.target.unfinished import is_left_over_of, kept_name

#: Only its owner can open it, as while it was being made; but he can read it.
_KEPT_MODE = 0o600


class LeftOvers:
    """What other runs left in the folders of one order; each folder is listed once."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._names: dict[str, list[str]] = {}

    def claim(self, folder: int, path: str) -> None:
        """Give the largest left-over of the file at ``path`` the name by which this run knows it.  Best effort."""
        with suppress(OSError):
            ours = kept_name(self._run_id, path)
            if stat_entry(folder, ours) is not None:
                return
            mine = [(found.st_blocks, name) for name in self._of(folder, path) if (found := _mine(folder, name))]
            if mine:
                in_folder(folder, lambda: _rename(folder, max(mine)[1], ours))

    def _of(self, folder: int, path: str) -> list[str]:
        above = path.rpartition("/")[0]
        if above not in self._names:
            listed = in_folder(folder, lambda: os.listdir(f"/proc/self/fd/{folder}"))
            self._names[above] = [name for name in listed if name.startswith(".segfleet-")]
        return [name for name in self._names[above] if is_left_over_of(name, self._run_id, path)]


def forget_left_over(folder: int, run_id: str, path: str) -> None:
    """The file is finished, or given up."""
    with suppress(OSError):
        in_folder(folder, lambda: os.unlink(kept_name(run_id, path), dir_fd=folder))


def _mine(folder: int, name: str) -> os.stat_result | None:
    """A file that this user made, and that nobody else has another name for."""
    found = stat_entry(folder, name)
    is_mine = found is not None and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return found if is_mine and found is not None and found.st_nlink == 1 else None


def _rename(folder: int, name: str, to: str) -> None:
    # It must not be what somebody has put there since: through a symlink another file's mode would change.
    descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1:
            os.fchmod(descriptor, _KEPT_MODE)
            os.rename(name, to, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(descriptor)
