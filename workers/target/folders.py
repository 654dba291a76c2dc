"""Finds an entry's parent folder from the target's root without following a symlink."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from pathlib import Path
from types import TracebackType

from tasks.errors import TargetError
from tasks.values import is_safe_path
from workers.target.metadata.not_kept import NotKept
from workers.target.metadata.opening_up import in_folder
from workers.target.spelling import refuse_other_spelling
from workers.target.troubles import TargetTrouble, name_trouble
from workers.target.unfinished import UNFINISHED_FOLDER_MODE

#: O_PATH: only a starting point is needed, which takes no right to list the folder.
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW

#: Open folders.  A bundle holds neighbours, so a few suffice; the limit of open files is often 1024.
_CACHED_COUNT = 64


class Folders:
    """Descriptors of the folders below one target.  For one thread.

    Each folder is opened from the descriptor of its parent, so no change of the tree can lead out of it.  The
    descriptors belong to this object; each stays open until at least 62 other folders have been used.
    """

    def __init__(self, root: Path, *, opens_up: bool = True) -> None:
        """Raises TargetError when ``root`` is not a folder that can be entered.

        ``opens_up``: the user's own folders are opened up where their modes are in the way.
        """
        try:
            # The root itself may be a symlink: the operator chose it, not a message.
            self._root = os.open(root, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            raise TargetError(f"cannot open the target {root}: {error.strerror}", path=str(root)) from error
        #: What entries of this order were restored without.
        self.not_kept = NotKept()
        self._opens_up = opens_up
        self._open: OrderedDict[str, int] = OrderedDict({"": self._root})

    def __enter__(self) -> Folders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def parent_of(self, path: str, *, make: bool = True) -> tuple[int, str]:
        """The folder that holds ``path``, and the last part of ``path``.

        Missing folders are made unfinished, unless ``make`` is false.  Raises TargetTrouble when the path
        is not below the target or leads through something that is not a folder; and OSError.
        """
        head, slash, name = path.rpartition("/")
        # An open folder was checked when it was opened; only "/name" has an empty folder without being in the root.
        descriptor = self._open.get(head) if head or not slash else None
        if not name or not is_safe_path(path if descriptor is None else name):
            raise TargetTrouble("unsafe-target", "the path is not below the target")
        if descriptor is None:
            descriptor = self._descend(head, make=make)
            self._keep(head, descriptor)
        elif head:
            self._open.move_to_end(head)
        return descriptor, name

    @property
    def root(self) -> int:
        return self._root

    def _descend(self, path: str, *, make: bool) -> int:
        """Open ``path`` from its nearest ancestor that is open already.  Loops: a path may have 2,000 parts."""
        above = path
        while above not in self._open:
            above = above.rpartition("/")[0]
        start = current = self._open[above]
        for part in path[len(above) :].strip("/").split("/"):
            try:
                below = _open_folder(current, part, path, make=make, opens_up=self._opens_up)
            finally:
                if current != start:
                    os.close(current)
            current = below
        return current

    def _keep(self, path: str, descriptor: int) -> None:
        self._open[path] = descriptor
        self._open.move_to_end("")
        if len(self._open) > _CACHED_COUNT:
            _, oldest = self._open.popitem(last=False)
            os.close(oldest)


def _open_folder(above: int, name: str, path: str, *, make: bool, opens_up: bool) -> int:
    try:
        if make:
            refuse_other_spelling(above, name)
        try:
            return _open_at(above, name) if opens_up else os.open(name, _WALK, dir_fd=above)
        except FileNotFoundError:
            if not make:
                raise
            make_folder(above, name)
            return _open_at(above, name)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise TargetTrouble(
                "unsafe-target", f"{name!r} in {path!r} is a symlink or a file, not a folder"
            ) from error
        raise


def _open_at(above: int, name: str) -> int:
    return in_folder(above, lambda: os.open(name, _WALK, dir_fd=above))


def make_folder(above: int, name: str) -> bool:
    """Make an unfinished folder, which only its owner can enter; returns whether it was missing.

    Raises TargetTrouble for a name that the file system does not take, and OSError.
    """
    try:
        in_folder(above, lambda: os.mkdir(name, UNFINISHED_FOLDER_MODE, dir_fd=above))
    except FileExistsError:
        return False
    except OSError as error:
        raise name_trouble(error, above) or error from None
    return True
