"""A small tree that changes in every way that a backup must notice, one change at a time.

A change that its tree has no room for does nothing: a file below another file, a second name of a folder.  Of files the
times are seconds long past, each another one, so that with ``--ignore-ctime`` what has an old time counts as unchanged.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from kit.tree import noise

_FIRST_S = 10**9
ATTRIBUTE = "user.colour"


class ChangingTree:
    """The folder ``root``, and below it what the changes leave.  Paths are relative to it."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self._now_s = _FIRST_S

    def write(self, path: str, size_bytes: int, seed: int) -> None:
        """A file: a new one in place of what is no file, else the same one, under all its names."""
        place = self._free_or_leaf(path)
        if place is not None:
            if self._kind(place) != "-":
                place.unlink(missing_ok=True)
            place.write_bytes(noise(size_bytes, seed))
            self._stamp(place)

    def replace(self, path: str, size_bytes: int, seed: int) -> None:
        """As editors do: another file takes the name, and older names keep the old one."""
        place = self._free_or_leaf(path)
        if place is not None:
            place.unlink(missing_ok=True)
            self.write(path, size_bytes, seed)

    def change_inside(self, path: str, offset: int, seed: int) -> None:
        """A hundred bytes of a file, which may become longer."""
        if self._kind(self.root / path) == "-":
            with (self.root / path).open("r+b") as file:
                file.seek(min(offset, os.fstat(file.fileno()).st_size))
                file.write(noise(100, seed))
            self._stamp(self.root / path)

    def link(self, path: str, to: str) -> None:
        """A second name of a file, before or after the first."""
        place = self._free_or_leaf(to)
        if place is not None and not os.path.lexists(place) and self._kind(self.root / path) == "-":
            os.link(self.root / path, place)

    def symlink(self, path: str, to: str) -> None:
        place = self._free_or_leaf(path)
        if place is not None:
            place.unlink(missing_ok=True)
            place.symlink_to(to)
            self._stamp(place)

    def fifo(self, path: str) -> None:
        place = self._free_or_leaf(path)
        if place is not None:
            place.unlink(missing_ok=True)
            os.mkfifo(place)
            self._stamp(place)

    def folder(self, path: str) -> None:
        """An empty folder takes the place of whatever is there, also of a folder."""
        self.delete(path)
        if self._has_room(self.root / path):
            (self.root / path).mkdir(parents=True)

    def delete(self, path: str) -> None:
        place = self.root / path
        if self._kind(place) == "d":
            shutil.rmtree(place)
        elif self._has_room(place):
            place.unlink(missing_ok=True)

    def rename(self, path: str, to: str) -> None:
        """A file or a folder with all that is in it."""
        old, new = self.root / path, self.root / to
        is_apart = old != new and old not in new.parents and new not in old.parents
        has_room = self._has_room(old) and self._has_room(new) and self._kind(new) != "d"
        if os.path.lexists(old) and is_apart and has_room:
            new.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            old.rename(new)

    def touch(self, path: str) -> None:
        if self._kind(self.root / path) in ("-", "l", "p"):
            self._stamp(self.root / path)

    def change_mode(self, path: str, mode: int) -> None:
        """Of what counts as unchanged."""
        if self._kind(self.root / path) in ("-", "d", "p"):
            (self.root / path).chmod(mode)

    def change_owner(self, path: str, number: int) -> None:
        if self._kind(self.root / path) and os.geteuid() == 0:
            os.lchown(self.root / path, number, number + 1)

    def change_attribute(self, path: str, value: bytes) -> None:
        """b"": it goes."""
        place = self.root / path
        if self._kind(place) not in ("-", "d"):
            return
        if value:
            os.setxattr(place, ATTRIBUTE, value)
        elif ATTRIBUTE in os.listxattr(place):
            os.removexattr(place, ATTRIBUTE)

    def _kind(self, place: Path) -> str:
        """The letter of ``ls -l``, or ""; never through a symlink."""
        if not self._has_room(place) or not os.path.lexists(place):
            return ""
        return stat.filemode(place.lstat().st_mode)[0]

    def _has_room(self, place: Path) -> bool:
        """Whether all that lies above is a folder, or nothing yet."""
        above = (one for one in place.parents if one != self.root and self.root in one.parents)
        return all(not os.path.lexists(one) or stat.S_ISDIR(one.lstat().st_mode) for one in above)

    def _free_or_leaf(self, path: str) -> Path | None:
        """The place for a new entry, in a folder; None where a folder is, or a file is above."""
        place = self.root / path
        if not self._has_room(place) or self._kind(place) == "d":
            return None
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _stamp(self, place: Path) -> None:
        self._now_s += 1
        os.utime(place, (self._now_s, self._now_s), follow_symlinks=False)
