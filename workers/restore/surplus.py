"""Finds what the target's folders hold and the snapshot does not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tasks.orders.target_looks import MAX_SURPLUS, FindSurplus, FolderNames, Surplus, SurplusResult
from tasks.receipts import PathTrouble
from workers.devices.keys import MARKER_NAME
from workers.target.folders import Folders
from workers.target.mounts import mount_of
from workers.target.troubles import PATH_ERRORS, TargetTrouble, trouble_at

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def find_surplus(order: FindSurplus, *, target_root: Path, beat: Callable[[], object]) -> SurplusResult:
    """Look into the order's folders; ``beat`` is called for each name.  Raises TargetError if the target is no folder.

    What is missing holds nothing; what cannot be read is reported.
    """
    if not os.path.lexists(target_root):
        return SurplusResult(found=(), common_count=0, elsewhere_count=0, troubles=())
    with Folders(target_root, opens_up=False) as folders:
        return _Search(folders, beat).result(order)


class _Search:
    def __init__(self, folders: Folders, beat: Callable[[], object]) -> None:
        self._folders = folders
        self._beat = beat
        self._mount = mount_of(folders.root)
        self._found: list[Surplus] = []
        self._troubles: list[PathTrouble] = []
        self._common_count = self._elsewhere_count = 0

    def result(self, order: FindSurplus) -> SurplusResult:
        rest, after = -1, ""
        for place, folder in enumerate(order.folders):
            try:
                after = self._look_into(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except PATH_ERRORS as error:
                if not _is_no_folder(error):
                    self._troubles.append(trouble_at(folder.path, error))
            if after:
                rest = place
                break
        return SurplusResult(
            found=tuple(self._found),
            common_count=self._common_count,
            elsewhere_count=self._elsewhere_count,
            troubles=tuple(self._troubles),
            rest=rest,
            after=after,
        )

    def _look_into(self, folder: FolderNames) -> str:
        """Returns the name after which to continue, "" when all has been looked at."""
        above, name = self._folders.parent_of(folder.path, make=False) if folder.path else (self._folders.root, ".")
        descriptor = os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=above)
        try:
            if mount_of(descriptor) != self._mount:
                self._elsewhere_count += 1
                return ""
            names = os.listdir(f"/proc/self/fd/{descriptor}")
            if MARKER_NAME in names:
                raise TargetTrouble("kept", "it is a segfleet device: nothing in it is removed")
            return self._name(descriptor, folder, _between(names, folder))
        finally:
            os.close(descriptor)

    def _name(self, descriptor: int, folder: FolderNames, names: list[str]) -> str:
        known, before = frozenset(folder.names), folder.after
        for name in names:
            self._beat()
            if len(self._found) == MAX_SURPLUS:
                return before
            before = name
            if name in known:
                self._common_count += 1
                continue
            path = f"{folder.path}/{name}" if folder.path else name
            with suppress(FileNotFoundError):
                self._found.append(self._surplus(descriptor, name, path))
        return ""

    def _surplus(self, folder: int, name: str, path: str) -> Surplus:
        descriptor = os.open(name, _LOOK, dir_fd=folder)
        try:
            mode, mount = os.fstat(descriptor).st_mode, mount_of(descriptor)
        finally:
            os.close(descriptor)
        if mount != self._mount:
            return Surplus(path=path, kind="mount")
        if stat.S_ISSOCK(mode) or path == "lost+found":
            return Surplus(path=path, kind="fixed")
        return Surplus(path=path, kind="directory" if stat.S_ISDIR(mode) else "file")


def _is_no_folder(error: Exception) -> bool:
    """Whether something else stands in the place of the folder, or of one above."""
    return isinstance(error, TargetTrouble) and error.code == "unsafe-target"


def _between(names: list[str], folder: FolderNames) -> list[str]:
    """Those between the bounds, in the order of their bytes."""
    after, until = os.fsencode(folder.after), os.fsencode(folder.until)
    found = [name for name in names if os.fsencode(name) > after and (not until or os.fsencode(name) <= until)]
    return sorted(found, key=os.fsencode)
