"""An entry whose metadata is read and set."""

from __future__ import annotations

import os
from typing import NamedTuple

from workers.target.metadata.sealed import is_sealed


class Place(NamedTuple):
    """``at`` is a descriptor, or a path that is safe to follow; with ``is_symlink`` the path of a symlink."""

    at: int | str
    is_symlink: bool = False

    def look(self) -> os.stat_result:
        if isinstance(self.at, int):
            return os.fstat(self.at)
        return os.stat(self.at, follow_symlinks=not self.is_symlink)

    def set_owner(self, uid: int, gid: int) -> None:
        if isinstance(self.at, int):
            os.chown(self.at, uid, gid)
        else:
            os.chown(self.at, uid, gid, follow_symlinks=not self.is_symlink)

    def set_time(self, mtime_ns: int) -> None:
        times = (mtime_ns, mtime_ns)
        if isinstance(self.at, int):
            os.utime(self.at, ns=times)
        else:
            os.utime(self.at, ns=times, follow_symlinks=not self.is_symlink)

    def is_own(self) -> bool:
        """Whether this user may set its mode and time."""
        return os.geteuid() in (0, self.look().st_uid)

    def is_sealed(self) -> bool:
        """Whether its flags keep everybody from changing it."""
        return not self.is_symlink and is_sealed(self.at)
