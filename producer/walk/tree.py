"""Reads one source, directory by directory.

For each directory its entries, sorted by name as bytes; then its subdirectories in that order, depth first.  No
recursion and one open descriptor, whatever the depth.  Symlinks are listed, never followed.  Sockets are skipped
silently: they mean nothing without the process that listens.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from producer.observer import Trouble
from producer.walk.directories import open_directory
from producer.walk.exclusions import ExclusionRules
from tasks.values import MAX_PATH_CHARACTERS

#: Bounds of one batch.  With names of 255 bytes, all escaped, it makes a line of 8 MB that compresses to 2 MB.
BATCH_ENTRIES_COUNT = 4096
BATCH_LINK_CHARACTERS = 256 * 1024

#: File format bits of ``st_mode`` → letter of the listing; sockets have none.
LETTERS = {
    stat.S_IFDIR: "d",
    stat.S_IFREG: "f",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
}
FORMAT_BITS = 0o170000

_NAME_MAX = 255


@dataclass(slots=True)
class Found:
    """Entries of one directory, in order: lists of equal length, and the targets of the symlinks by name."""

    directory: str
    names: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    statuses: list[os.stat_result] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)


class SourceTree:
    """One source that is a directory.  ``on_trouble`` is called for what could not be read; the scan continues."""

    def __init__(
        self,
        root: str,
        rules: ExclusionRules,
        *,
        one_file_system: bool,
        on_trouble: Callable[[Trouble], None],
    ) -> None:
        self._root = root
        self._rules = rules
        self._only_device = os.lstat(root).st_dev if one_file_system else None
        self._on_trouble = on_trouble

    def scan(self) -> Iterator[Found]:
        """All entries below the root, without the root itself."""
        pending = [""]
        while pending:
            directory = pending.pop()
            below: list[str] = []
            for found in self._scan_directory(directory):
                below += self._subdirectories(found)
                yield found
            pending += reversed(below)

    def _scan_directory(self, directory: str) -> Iterator[Found]:
        try:
            descriptor = open_directory(self._root, directory)
        except OSError as error:
            self._tell(error, directory)
            return
        try:
            yield from self._look(descriptor, directory, self._sorted_names(descriptor, directory))
        finally:
            os.close(descriptor)

    def _sorted_names(self, descriptor: int, directory: str) -> list[str]:
        try:
            # Not scandir: its entry objects cost 200 MB in a directory of a million files, and save nothing.
            names = os.listdir(descriptor)
        except OSError as error:
            self._tell(error, directory)
            return []
        if directory:  # the source itself is never excluded
            names = self._rules.without_cached(descriptor, names)
        # Code points sort like bytes, except for surrogate escapes; the plain sort is 5 times as fast.
        names.sort(key=None if all(map(str.isascii, names)) else os.fsencode)
        return self._of_bearable_length(directory, names)

    def _of_bearable_length(self, directory: str, names: list[str]) -> list[str]:
        room = MAX_PATH_CHARACTERS - len(directory) - 1
        if room >= _NAME_MAX:
            return names
        for name in names:
            if len(name) > room:
                message = f"skipped: its path is longer than {MAX_PATH_CHARACTERS} characters"
                self._on_trouble(Trouble(code="path-too-long", message=message, path=self._absolute(directory, name)))
        return [name for name in names if len(name) <= room]

    def _look(self, descriptor: int, directory: str, names: list[str]) -> Iterator[Found]:
        excludes = not self._rules.are_empty
        found, link_characters = Found(directory), 0
        for name in names:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                letter = LETTERS.get(status.st_mode & FORMAT_BITS)
                link = os.readlink(name, dir_fd=descriptor) if letter == "l" else ""
            except OSError as error:
                self._tell_unless_excluded(error, directory, name)
                continue
            if letter is None or (excludes and self._is_excluded(descriptor, directory, name, letter)):
                continue
            if link:
                found.links[name] = link
                link_characters += len(link)
            found.names.append(name)
            found.letters.append(letter)
            found.statuses.append(status)
            if len(found.names) == BATCH_ENTRIES_COUNT or link_characters > BATCH_LINK_CHARACTERS:
                yield found
                found, link_characters = Found(directory), 0
        if found.names:
            yield found

    def _is_excluded(self, descriptor: int, directory: str, name: str, letter: str) -> bool:
        if self._rules.matches(_join(directory, name), is_directory=letter == "d"):
            return True
        return letter == "d" and self._rules.is_marked(descriptor, name)

    def _subdirectories(self, found: Found) -> list[str]:
        """The directories to enter: with ``one_file_system`` a mount point stays an empty directory."""
        return [
            _join(found.directory, name)
            for name, letter, status in zip(found.names, found.letters, found.statuses, strict=True)
            if letter == "d" and self._only_device in (None, status.st_dev)
        ]

    def _tell_unless_excluded(self, error: OSError, directory: str, name: str) -> None:
        # Another user's FUSE mount cannot even be examined; excluding it must silence it.
        path = _join(directory, name)
        if not any(self._rules.matches(path, is_directory=guess) for guess in (False, True)):
            self._tell(error, path)

    def _tell(self, error: OSError, path: str) -> None:
        code = "vanished" if error.errno == errno.ENOENT else "unreadable"
        self._on_trouble(Trouble(code=code, message=error.strerror or str(error), path=self._absolute(path)))

    def _absolute(self, *path: str) -> str:
        return os.path.join(self._root, *filter(None, path))


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
