"""What gitignore patterns of one folder say about an entry.  Pure.

A spec of pathspec answers for a path and all folders above it at once.  Where several files have a say, that is one
question too many: the walk has asked about the folders before it entered them, so only the entry itself is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from msgspec import Struct
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

#: The group of pathspec's expressions that matches the slash behind what the pattern names.
_DIRECTORY_MARK = "ps_d"

#: What editors of Windows put in front of a text.
_BYTE_ORDER_MARK = "\ufeff"


class _Pattern(Struct, frozen=True, kw_only=True):
    expression: re.Pattern[str]
    #: Whether a match is left out; else it is kept, whatever a line before says.
    leaves_out: bool
    #: Whether it is compared with names; else with paths from the file's folder on.
    is_of_names: bool
    #: For ``folder/**/``, which pathspec takes for ``folder/``.
    is_of_folders_below: bool

    def names(self, text: str) -> bool:
        """Whether ``text``, which it matches, is the entry itself and not only a folder above.

        ``text`` of a folder ends with a slash.
        """
        if self.is_of_folders_below and not text.endswith("/"):
            return False
        if _DIRECTORY_MARK not in self.expression.groupindex:
            # ``folder/**`` names what the folder contains, and not the folder.
            return self.expression.search(text.rstrip("/")) is not None
        ends = (-1, len(text) - 1)
        return any(found.start(_DIRECTORY_MARK) in ends for found in self.expression.finditer(text))


def lines_of(text: str) -> list[str]:
    """The lines of a file of patterns."""
    return [line.removesuffix("\r") for line in text.removeprefix(_BYTE_ORDER_MARK).split("\n")]


class GitIgnore:
    """The patterns that hold in one folder; of several that match, the last one counts."""

    def __init__(self, lines: Iterable[str], on_invalid: Callable[[int], None] = lambda number: None) -> None:
        """``on_invalid`` gets the number of each line that is no pattern; it is skipped, as git does."""
        self._patterns: list[_Pattern] = []
        for number, line in enumerate(lines, start=1):
            try:
                pattern = _pattern_of(line)
            except (GitIgnorePatternError, ValueError, re.error):
                on_invalid(number)
            else:
                self._patterns += [pattern] if pattern is not None else []

    def add(self, later: GitIgnore) -> None:
        """Append the patterns of another file in the same folder; before anything is asked."""
        self._patterns += later._patterns

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def leaves_out(self, path: str, *, is_directory: bool) -> bool | None:
        """Whether ``path``, relative to the file's folder, is left out; None: the patterns say nothing about it."""
        slash = "/" if is_directory else ""
        name, path = path[path.rfind("/") + 1 :] + slash, path + slash
        for search, is_of_names, pattern in self._searches:
            text = name if is_of_names else path
            if search(text) and pattern.names(text):
                return pattern.leaves_out
        return None

    @cached_property
    def _searches(self) -> list[tuple[Callable[[str], re.Match[str] | None], bool, _Pattern]]:
        """The patterns, the last one first, with what is asked of nearly every entry at hand."""
        return [(pattern.expression.search, pattern.is_of_names, pattern) for pattern in reversed(self._patterns)]


def _pattern_of(line: str) -> _Pattern | None:
    """None for a comment or a blank line; raises what pathspec raises."""
    is_of_folders_below = line.rstrip(" ").endswith("/**/")
    compiled = GitIgnoreSpecPattern(line.rstrip(" ").removesuffix("/") if is_of_folders_below else line)
    if compiled.include is None or compiled.regex is None:
        return None
    return _Pattern(
        expression=compiled.regex,
        leaves_out=compiled.include,
        is_of_names="/" not in line.removeprefix("!").rstrip(" ").removesuffix("/"),
        is_of_folders_below=is_of_folders_below,
    )
