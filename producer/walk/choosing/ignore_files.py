"""Gitignore files in a source: each holds for what lies below its folder, the deeper one first.

What cannot be read is recorded and not obeyed: too much is stored then, and never too little.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress

from producer.walk.choosing.gitignore import GitIgnore, lines_of
from producer.walk.directories import Directories

#: The largest that people write has some 100 KiB.
MAX_BYTES = 1024 * 1024

#: Called with the path of the file, relative to the source, and what is wrong with it.
OnTrouble = Callable[[str, str], None]


class IgnoreFiles:
    """The ignore files called one of ``names`` on the way to the folder that the walk is in."""

    def __init__(self, root: str, names: Sequence[str], on_trouble: OnTrouble) -> None:
        self._root = root
        self._names = names
        self._on_trouble = on_trouble
        #: From the source down to the folder that was entered last, each with its patterns.
        self._way: list[tuple[str, GitIgnore | None]] = []

    @property
    def hold(self) -> bool:
        """Whether any holds in the folder that was entered last."""
        return any(patterns is not None for _, patterns in self._way)

    def enter(self, descriptor: int, folder: str) -> None:
        """Read the files of ``folder``, which is open.  What the walk has left is forgotten."""
        if not self._names:
            return
        while self._way and not _contains(self._way[-1][0], folder):
            self._way.pop()
        self._catch_up(folder)
        if not self._way or self._way[-1][0] != folder:
            self._way.append((folder, self._read(descriptor, folder, self._on_trouble)))

    def leave_out(self, path: str, *, is_directory: bool) -> bool:
        """Whether the files leave out an entry of the folder that was entered last."""
        if path.rpartition("/")[2] in self._names:
            return False
        for folder, patterns in reversed(self._way):
            if patterns is None:
                continue
            below = path.removeprefix(f"{folder}/") if folder else path
            verdict = patterns.leaves_out(below, is_directory=is_directory)
            if verdict is not None:
                return verdict
        return False

    def _catch_up(self, folder: str) -> None:
        """Read the folders above that this walk has not been in: it resumes one that was stopped.

        That one has reported what is wrong with them.
        """
        above = [folder[:end] for end, character in enumerate(folder) if character == "/"]
        missing = [path for path in (["", *above] if folder else []) if len(path) > self._depth]
        if not missing:
            return
        with Directories(self._root) as directories:
            for path in missing:
                with suppress(OSError):
                    self._way.append((path, self._read(directories.open(path), path, lambda path, message: None)))

    @property
    def _depth(self) -> int:
        return len(self._way[-1][0]) if self._way else -1

    def _read(self, descriptor: int, folder: str, on_trouble: OnTrouble) -> GitIgnore | None:
        patterns = GitIgnore(())
        for name in self._names:
            path = f"{folder}/{name}" if folder else name
            try:
                patterns.add(_patterns_of(_text_of(name, descriptor), path, on_trouble))
            except (FileNotFoundError, IsADirectoryError):
                continue
            except OSError as error:
                on_trouble(path, f"its patterns are ignored: {error.strerror or error}")
        return patterns or None


def _contains(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _patterns_of(text: str, path: str, on_trouble: OnTrouble) -> GitIgnore:
    invalid: list[int] = []
    patterns = GitIgnore(lines_of(text), invalid.append)
    if invalid:
        on_trouble(path, f"line {invalid[0]} is not a valid pattern, and is ignored")
    return patterns


def _text_of(name: str, folder: int) -> str:
    """Raises OSError for what is no text of a bearable size; symlinks are not followed, as git does not."""
    # Non-blocking: it may be a FIFO.
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(file, "rb") as opened:
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a file")
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"it has more than {MAX_BYTES} bytes")
    if b"\0" in data:
        raise OSError("it is not text")
    return data.decode("utf-8", "surrogateescape")
