"""Where a source is: at a root of the worker's configuration, or below one.

From a configured root down, each folder is opened from its parent's descriptor without following symlinks.  So neither
the sender of an order nor anybody who can write in the configured source can lead a reader out of it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tasks.errors import SourceError

_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Place:
    """The place of source ``name``: ``below`` the configured ``root``, or that root itself for "".

    Holds descriptors until :meth:`close`.  Raises SourceError when nothing is there, or a symlink is on the way.
    """

    def __init__(self, name: str, root: Path, below: str = "") -> None:
        self.where = f"source {name}: {root / below}"
        #: How the source itself is opened: by the root's path, or by the name in its folder.
        self._name = str(root)
        self._folder_fd: int | None = None
        self._fd: int | None = None
        try:
            self._fd = os.open(root, os.O_PATH | os.O_CLOEXEC)
            for part in filter(None, below.split("/")):
                self._go_down(part)
        except OSError as error:
            self.close()
            message = f"{self.where}: {os.strerror(error.errno or 0)}"
            raise SourceError(message, path=str(root / below), hint="is it mounted on this host?") from error

    @property
    def is_configured(self) -> bool:
        """Whether this is the configured source itself."""
        return self._folder_fd is None

    @property
    def fd(self) -> int:
        """A descriptor (O_PATH) of the source, from which its content is opened."""
        assert self._fd is not None
        return self._fd

    def open(self, flags: int) -> int:
        """A descriptor of the source itself, for the caller to close; raises OSError."""
        # A configured root was chosen by the user, so a symlink is followed here and only here.
        follow = 0 if self.is_configured else os.O_NOFOLLOW
        return os.open(self._name, flags & ~os.O_NOFOLLOW | follow, dir_fd=self._folder_fd)

    def close(self) -> None:
        for fd in (self._fd, self._folder_fd):
            if fd is not None:
                os.close(fd)
        self._fd = self._folder_fd = None

    def _go_down(self, name: str) -> None:
        if self._folder_fd is not None:
            os.close(self._folder_fd)
        self._name, self._folder_fd, self._fd = name, self._fd, None
        self._fd = os.open(name, _FLAGS, dir_fd=self._folder_fd)
        if stat.S_ISLNK(os.fstat(self._fd).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
