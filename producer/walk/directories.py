"""Opens directories of a source, however deep they lie, and never through a symlink below its root."""

from __future__ import annotations

import os
from types import TracebackType

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: Well under the usual limit of 1024 descriptors, and deeper than most trees.
_MOST_OPEN = 64


class Directories:
    """The directories below ``root``, each opened from the descriptor of the one above it.

    So anyone who owns a part of the source can put a symlink in place of any directory and leads nobody out of it.  The
    way to the last directory stays open for the next one.  To be used in a with block, by one thread.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._root_descriptor = -1
        #: Names from the root down, and the descriptor of each; the upper ones of a long way are closed.
        self._names: list[str] = []
        self._descriptors: list[int] = []

    def __enter__(self) -> Directories:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._go_up(0)
        if self._root_descriptor >= 0:
            os.close(self._root_descriptor)
            self._root_descriptor = -1

    def open(self, path: str) -> int:
        """A descriptor of directory ``path``, valid until the next call; raises OSError."""
        if self._root_descriptor < 0:
            self._root_descriptor = os.open(self._root, _FLAGS)
        names = path.split("/") if path else []
        self._go_up(self._common(names))
        if self._descriptors and self._descriptors[-1] < 0:
            # The way was so long that this part of it has been closed.
            self._go_up(0)
        for name in names[len(self._names) :]:
            self._go_down(name)
        return self._descriptors[-1] if self._descriptors else self._root_descriptor

    def _common(self, names: list[str]) -> int:
        """How many of the names lead the way that is open."""
        count = 0
        for name, opened in zip(names, self._names, strict=False):
            if name != opened:
                break
            count += 1
        return count

    def _go_up(self, count: int) -> None:
        for descriptor in self._descriptors[count:]:
            if descriptor >= 0:
                os.close(descriptor)
        del self._descriptors[count:], self._names[count:]

    def _go_down(self, name: str) -> None:
        above = self._descriptors[-1] if self._descriptors else self._root_descriptor
        self._descriptors.append(os.open(name, _FLAGS, dir_fd=above))
        self._names.append(name)
        upper = len(self._descriptors) - 1 - _MOST_OPEN
        if upper >= 0:
            os.close(self._descriptors[upper])
            self._descriptors[upper] = -1
