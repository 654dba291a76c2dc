"""Which names of a folder the walk looks at."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from producer.walk.choosing.chosen import Chosen
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.choosing.ignore_files import IgnoreFiles
from producer.walk.status import Status


class WantedNames:
    """Joins what is chosen, what rules and ignore files leave out, and what is no part of the source at all."""

    def __init__(
        self,
        root: str,
        rules: ExclusionRules,
        chosen: Chosen,
        left_out: Collection[Path],
        on_trouble: Callable[[str, str], None],
    ) -> None:
        """``left_out``: absolute paths of what is no part of the source, whatever the rules say.

        ``on_trouble`` gets a path, relative to the source, and what is wrong with it.
        """
        self._rules = rules
        self._chosen = chosen
        self._on_trouble = on_trouble
        self._ignore_files = IgnoreFiles(root, rules.ignore_files, on_trouble)
        self._left_out = _names_by_directory(root, left_out)
        self._is_all_wanted = True
        #: Whether :meth:`leave_out` has to be asked at all.
        self.are_looked_at = rules.look_at_entries or chosen.is_list

    def of(self, descriptor: int, directory: str) -> list[str]:
        """The names to look at, in any order; named ones need not exist.  Raises OSError."""
        self._ignore_files.enter(descriptor, directory)
        named = self._chosen.names_in(directory)
        names = list(named)
        self._is_all_wanted = self._chosen.has_all_of(directory)
        if self._is_all_wanted:
            names = self._not_excluded(descriptor, directory)
            if not self._chosen.is_named(directory):  # nor is the source itself ever excluded
                names = self._rules.without_cached(descriptor, names)
            names = [*names, *set(named).difference(names)] if named else names
        if directory in self._left_out:
            names = [name for name in names if name not in self._left_out[directory]]
        return names

    def leave_out(self, parent: int, path: str, letter: str, status: Status) -> bool:
        """Whether what is at ``path``, in the directory that :meth:`of` was asked about last, leaves it out.

        Never what is named, nor a folder on the way to it.
        """
        is_way = self._chosen.is_way(path)
        if is_way and letter != "d":
            self._on_trouble(path, "it is not a folder, and a list names what is in it")
        if self._chosen.is_named(path):
            return False
        if not self._is_all_wanted:
            return letter != "d"
        name = path.rpartition("/")[2]
        if not self._rules.leave_out(letter, status) and not (letter == "d" and self._rules.is_marked(parent, name)):
            return False
        self._chosen.narrow(path)
        return not (is_way and letter == "d")

    def _not_excluded(self, descriptor: int, directory: str) -> list[str]:
        if not self._rules.have_patterns and not self._ignore_files.hold:
            return os.listdir(descriptor)
        prefix = f"{directory}/" if directory else ""
        # The kind comes with the name, so what is left out is not looked at.
        with os.scandir(descriptor) as entries:
            return [
                entry.name
                for entry in entries
                if not self._is_excluded(prefix + entry.name, is_directory=entry.is_dir(follow_symlinks=False))
            ]

    def _is_excluded(self, path: str, *, is_directory: bool) -> bool:
        if self._chosen.is_named(path):
            return False
        is_excluded = self._rules.matches(path, is_directory=is_directory) or self._ignore_files.leave_out(
            path, is_directory=is_directory
        )
        if is_excluded:
            self._chosen.narrow(path)
        return is_excluded


def _names_by_directory(root: str, paths: Collection[Path]) -> dict[str, set[str]]:
    """The paths that lie below the root: relative directory → names in it."""
    found: dict[str, set[str]] = {}
    for path in paths:
        if path.is_relative_to(root) and path != Path(root):
            directory = os.fspath(path.parent.relative_to(root))
            found.setdefault("" if directory == "." else directory, set()).add(path.name)
    return found
