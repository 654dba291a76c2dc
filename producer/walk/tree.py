"""Reads one source, directory by directory.

For each directory its entries, sorted by name as bytes; then its subdirectories in that order, depth first.  No
recursion and one open descriptor, whatever the depth.  Symlinks are listed, never followed.  Sockets are skipped
silently: they mean nothing without the process that listens.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from producer.observer import Trouble
from producer.walk.attributes import (
    attributes_of,
    attributes_trouble,
    can_read_attributes,
    no_attributes_trouble,
    prefix_of_open,
)
from producer.walk.choosing.chosen import Chosen
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.choosing.names import WantedNames
from producer.walk.directories import Directories
from producer.walk.found import BATCH_ENTRIES_COUNT, FORMAT_BITS, LETTERS, Found, Rest
from producer.walk.holes import data_ranges_at, may_have_holes
from producer.walk.marks import mark_of
from producer.walk.mount_points import mount_points_below
from producer.walk.sizes import MAX_HOLLOW_BYTES, is_bearable
from producer.walk.status import Status, StatusColumns, file_system_of, mode_and_sizes, status_at
from tasks.values import MAX_PATH_CHARACTERS

_NAME_MAX = 255

#: The number of no file system.
_NONE = -1


class SourceTree:
    """One source that is a directory.  ``on_trouble`` is called for what could not be read; the scan continues.

    While the scan waits for the file system, another thread may ask where it is: see :attr:`waits_for`.
    """

    #: The directory, and the entry in it ("": itself), that the scan is about to look at; None while nothing is.
    waits_for: tuple[str, str] | None = None

    #: Whether it is about to compare that with a known mark: nothing of the directory has been given out.
    is_comparing = False

    def __init__(
        self,
        root: str,
        rules: ExclusionRules,
        *,
        name: str = "",
        one_file_system: bool,
        on_trouble: Callable[[Trouble], None],
        only: Collection[str] | None = None,
        left_out: Collection[Path] = (),
        known: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """``only``: as in :class:`producer.requests.Source`; ``left_out``: as in :class:`WantedNames`.

        ``known``: the marks of directories, by their paths in bytes, that need no closer look.
        """
        self._root = root
        self._rules = rules
        self._chosen = Chosen(only)
        self._names = WantedNames(root, rules, self._chosen, left_out, self._tell_of)
        self._keeps_attributes = rules.keeps_attributes
        self._known: Mapping[bytes, bytes] = known or {}
        #: Elsewhere what is found of a directory depends on more than what is in it.
        self._has_marks = not (self._names.are_looked_at or one_file_system)
        #: Paths in orders begin with the source's name.
        self._name_room = len(name) + 1 if name else 0
        self._one_file_system = one_file_system
        #: Folder that is named, on the way, or the source → its file system.
        self._devices: dict[str, int] = {}
        self._mount_points: frozenset[str] = frozenset()
        self._on_trouble = on_trouble
        #: Of the scan, for :meth:`rest`.
        self._pending: list[str] = []
        self._below: list[str] = []
        self._found = Found("")

    def report_to(self, on_trouble: Callable[[Trouble], None]) -> None:
        self._on_trouble = on_trouble

    def scan(self, rest: Rest | None = None) -> Iterator[Found]:
        """All entries below the root, without the root itself; or the rest of them."""
        rest = rest or Rest([""])
        if not rest.compares:
            self._known = {}
        if self._rules.keeps_attributes and not can_read_attributes():
            self._keeps_attributes = False
            if rest.pending == [""]:
                self._on_trouble(no_attributes_trouble(self._root))
        if self._one_file_system:
            # Without it, nothing remains to be done.
            self._pending = []
            self.waits_for = ("", "")
            self._device_in("")
            self._mount_points = mount_points_below(self._root)
        pending = self._pending = list(rest.pending)
        if rest.directory is not None:
            pending.append(rest.directory)
        after_name, first_below = rest.after_name, list(rest.below)
        with Directories(self._root) as directories:
            while pending:
                directory = pending.pop()
                below = self._below = first_below
                for found in self._scan_directory(directories, directory, after_name):
                    below += self._subdirectories(found)
                    yield found
                pending += reversed(below)
                after_name, first_below = "", []

    def _device_in(self, directory: str) -> int | None:
        """The file system that the scan stays on in ``directory``; None: any.  What is named may be on another one."""
        if not self._one_file_system:
            return None
        outermost = self._chosen.outermost(directory)
        if outermost not in self._devices:
            try:
                self._devices[outermost] = os.lstat(self.absolute(outermost)).st_dev
            except OSError:
                self._devices[outermost] = _NONE  # the scan will report what is wrong with it
        return self._devices[outermost]

    def rest(self) -> tuple[Found | None, Rest]:
        """What was found and not given out yet, and what remains without that which the scan waits for.

        For another thread, while the scan waits.
        """
        directory, name = self.waits_for or ("", "")
        if self.is_comparing:
            # Whoever looks at each entry by itself gives up that one alone.
            return None, Rest([*self._pending, directory], compares=False)
        if not name:
            return None, Rest(list(self._pending))
        found = self._found.before(name)
        below = (*self._below, *self._subdirectories(found))
        return (found if found.names else None), Rest(
            list(self._pending), directory=directory, after_name=name, below=below
        )

    def _scan_directory(self, directories: Directories, directory: str, after_name: str) -> Iterator[Found]:
        self.waits_for = (directory, "")
        try:
            descriptor = directories.open(directory)
            if self._device_in(directory) not in (None, os.fstat(descriptor).st_dev):
                return  # mounted since it was looked at
            names = self._sorted_names(descriptor, directory)
        except OSError as error:
            self._tell(error, directory)
            return
        finally:
            self.waits_for = None
        if after_name:
            names = [name for name in names if os.fsencode(name) > os.fsencode(after_name)]
        has_mark = self._has_marks and not after_name and 0 < len(names) <= BATCH_ENTRIES_COUNT
        yield from self._look(descriptor, directory, names, has_mark=has_mark)

    def _sorted_names(self, descriptor: int, directory: str) -> list[str]:
        names = self._names.of(descriptor, directory)
        # Code points sort like bytes, except for surrogate escapes; the plain sort is 5 times as fast.
        names.sort(key=None if all(map(str.isascii, names)) else os.fsencode)
        return self._of_bearable_length(directory, names)

    def _of_bearable_length(self, directory: str, names: list[str]) -> list[str]:
        room = MAX_PATH_CHARACTERS - self._name_room - len(directory) - 1
        if room >= _NAME_MAX:
            return names
        for name in names:
            if len(name) > room:
                message = f"skipped: its path is longer than {MAX_PATH_CHARACTERS} characters"
                self._on_trouble(Trouble(code="path-too-long", message=message, path=self.absolute(directory, name)))
        return [name for name in names if len(name) <= room]

    def _look(self, descriptor: int, directory: str, names: list[str], *, has_mark: bool) -> Iterator[Found]:
        found = self._found = Found(directory)
        expected = self._known.get(os.fsencode(directory)) if has_mark else None
        if expected is not None and (as_known := self._as_known(descriptor, directory, names, expected)) is not None:
            yield as_known
            return
        mount_points = self._mount_points_in(directory)
        prefix = prefix_of_open(descriptor)
        for name in names:
            self.waits_for = (directory, name)
            self._look_at(found, descriptor, prefix, name, is_mount_point=name in mount_points)
            if found.is_full:
                self.waits_for = None
                yield found
                found = self._found = Found(directory)
        self.waits_for = None
        if has_mark and len(found.names) == len(names) and not found.has_flaw:
            found.mark = mark_of(names, found.statuses, with_attributes=self._keeps_attributes)
        if found.names:
            yield found

    def _as_known(self, descriptor: int, directory: str, names: list[str], expected: bytes) -> Found | None:
        """All that is in the directory, if it has this mark."""
        statuses = list[Status]()
        self.is_comparing = True
        try:
            for name in names:
                self.waits_for = (directory, name)
                statuses.append(status_at(name, descriptor))
        except OSError:
            return None
        finally:
            self.waits_for = None
            self.is_comparing = False
        if mark_of(names, statuses, with_attributes=self._keeps_attributes) != expected:
            return None
        letters = [LETTERS[mode & FORMAT_BITS] for mode in StatusColumns(statuses).modes()]
        return Found(directory, names, letters, statuses, mark=expected, is_known=True)

    def _look_at(self, found: Found, descriptor: int, prefix: str, name: str, *, is_mount_point: bool) -> None:
        """Add what is at ``name`` in the open directory, to whose path ``prefix`` leads too, unless it is left out."""
        try:
            # Nothing in a mount point is wanted, so its server is not asked: it may not answer.
            status = status_at(name, descriptor, cached=is_mount_point)
            mode, size_bytes, blocks_count = mode_and_sizes(status)
            letter = LETTERS.get(mode & FORMAT_BITS)
            link = os.readlink(name, dir_fd=descriptor) if letter == "l" else ""
        except OSError as error:
            self._tell(error, _join(found.directory, name))
            return
        if letter is None or self._is_left_out(found, descriptor, name, letter, status):
            return
        may_be_hollow = may_have_holes(letter, size_bytes, blocks_count)
        ranges = data_ranges_at(name, descriptor, size_bytes) if may_be_hollow else None
        if size_bytes > MAX_HOLLOW_BYTES and not is_bearable(size_bytes, blocks_count, ranges):
            message = f"left out: its size is {size_bytes} bytes, which no backup can hold"
            path = self.absolute(found.directory, name)
            self._on_trouble(Trouble(code="too-large", message=message, path=path))
            return
        if link:
            found.add_link(name, link)
        if ranges is not None:
            found.add_data_ranges(name, ranges)
        if self._keeps_attributes and not is_mount_point:
            self._look_at_attributes(found, prefix, name)
        found.add(name, letter, status)

    def _is_left_out(self, found: Found, descriptor: int, name: str, letter: str, status: Status) -> bool:
        if not (self._names.are_looked_at or self._one_file_system):
            return False
        path = _join(found.directory, name)
        if self._names.are_looked_at and self._names.leave_out(descriptor, path, letter, status):
            return True
        if self._device_in(found.directory) not in (None, file_system_of(status)):
            self._chosen.narrow(path)
        return False

    def _look_at_attributes(self, found: Found, prefix: str, name: str) -> None:
        try:
            attributes = attributes_of(prefix + name)
        except OSError as error:
            found.has_flaw = True
            self._on_trouble(attributes_trouble(error, self.absolute(found.directory, name)))
        else:
            if attributes:
                found.add_attributes(name, attributes)

    def _tell_of(self, path: str, message: str) -> None:
        self._on_trouble(Trouble(code="unreadable", message=message, path=self.absolute(path)))

    def _mount_points_in(self, directory: str) -> set[str]:
        prefix = f"{directory}/" if directory else ""
        found = {point.removeprefix(prefix) for point in self._mount_points if point.startswith(prefix)}
        return found.difference(self._chosen.names_in(directory))

    def _subdirectories(self, found: Found) -> list[str]:
        """The directories to enter: with ``one_file_system`` a mount point stays an empty directory."""
        device, named = self._device_in(found.directory), self._chosen.names_in(found.directory)
        return [
            _join(found.directory, name)
            for name, letter, status in zip(found.names, found.letters, found.statuses, strict=True)
            if letter == "d" and (device is None or file_system_of(status) == device or name in named)
        ]

    def _tell(self, error: OSError, path: str) -> None:
        code = "vanished" if error.errno == errno.ENOENT else "unreadable"
        self._on_trouble(Trouble(code=code, message=error.strerror or str(error), path=self.absolute(path)))

    def absolute(self, *path: str) -> str:
        return os.path.join(self._root, *filter(None, path))


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
