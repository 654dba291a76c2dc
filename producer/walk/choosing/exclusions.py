"""What the walk leaves out.

Patterns use gitignore syntax and are matched against the path relative to the source; later ones win.  The walk does
not enter a directory that is left out, so no ``!`` pattern can bring back anything in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pathspec

from producer.host.scouting.looks import look
from producer.requests import Exclusions
from producer.walk.choosing.gitignore import GitIgnore, lines_of
from producer.walk.status import Status, flags_of, mode_and_sizes
from tasks.errors import UsageError
from tasks.sources.metadata import NO_DUMP

#: Cache Directory Tagging Specification (bford.info/cachedir): the tag's name and its first bytes.
CACHE_TAG = "CACHEDIR.TAG"
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"


class ExclusionRules:
    """Decides entry by entry.  Raises UsageError for an invalid pattern or name."""

    def __init__(self, exclusions: Exclusions) -> None:
        for name in (*exclusions.if_present, *exclusions.ignore_files):
            if not name or "/" in name:
                raise UsageError(f"not a file name: {name!r}", hint="give a name without a slash")
        self._patterns = _checked(exclusions.patterns)
        self._any_case = _checked([pattern.lower() for pattern in exclusions.patterns_any_case])
        self._larger_than_bytes = exclusions.larger_than_bytes
        self._no_dump = exclusions.no_dump
        self._caches = exclusions.caches
        self._if_present = exclusions.if_present
        #: Names of gitignore files in the sources.
        self.ignore_files = exclusions.ignore_files
        self.keeps_attributes = not exclusions.attributes

    @property
    def have_patterns(self) -> bool:
        """Whether an entry can be left out for its name."""
        return bool(self._patterns or self._any_case)

    def matches(self, path: str, *, is_directory: bool) -> bool:
        """Whether a pattern leaves out ``path``, relative to its source, itself: the folders above are not asked."""
        return bool(
            self._patterns.leaves_out(path, is_directory=is_directory)
            or self._any_case.leaves_out(path.lower(), is_directory=is_directory)
        )

    @property
    def look_at_entries(self) -> bool:
        """Whether an entry can be left out for what it is."""
        return self._no_dump or self._larger_than_bytes is not None or bool(self._if_present)

    def leave_out(self, letter: str, status: Status) -> bool:
        """Whether what an entry is leaves it out, whatever its name."""
        if self._no_dump and flags_of(status) & NO_DUMP:
            return True
        if letter != "f" or self._larger_than_bytes is None:
            return False
        _, size_bytes, _ = mode_and_sizes(status)
        return size_bytes > self._larger_than_bytes

    def is_marked(self, parent: int, name: str) -> bool:
        """Whether directory ``name`` in descriptor ``parent`` contains one of the names of ``if_present``."""
        if not self._if_present:
            return False
        try:
            folder = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except OSError:
            return False
        try:
            return any(_exists(folder, mark) for mark in self._if_present)
        finally:
            os.close(folder)

    def without_cached(self, directory: int, names: list[str]) -> list[str]:
        """``names`` of the entries of a directory; of a cache only the tag, so that it is restored as a cache."""
        if self._caches and CACHE_TAG in names and _has_signature(directory):
            return [CACHE_TAG]
        return names


def read_exclude_file(path: Path) -> tuple[str, ...]:
    """The patterns of an exclude file, one per line; blank lines and lines that begin with ``#`` are ignored.

    Raises UsageError, with the number of the line, for a pattern that does not parse.
    """
    try:
        text = look(path, partial(Path.read_text, encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise UsageError(f"cannot read exclude file {path}: {error.strerror}") from error
    patterns = []
    for number, line in enumerate(lines_of(text), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        _check(line, f"{path}, line {number}")
        patterns.append(line)
    return tuple(patterns)


def compile_patterns(patterns: Iterable[str], what: str) -> pathspec.GitIgnoreSpec:
    """One spec of gitignore patterns; raises UsageError for an invalid one, which the error calls ``what``."""
    patterns = _meant(patterns)
    for pattern in patterns:
        _check(pattern, what)
    return pathspec.GitIgnoreSpec.from_lines(patterns)


def _checked(patterns: Iterable[str]) -> GitIgnore:
    patterns = _meant(patterns)
    for pattern in patterns:
        _check(pattern, "exclude pattern")
    return GitIgnore(patterns)


def _meant(patterns: Iterable[str]) -> list[str]:
    """None is a comment: files of patterns have theirs taken out, and an argument that begins with # is meant."""
    return [f"\\{pattern}" if pattern.startswith("#") else pattern for pattern in patterns if pattern.strip()]


def _check(pattern: str, where: str) -> None:
    try:
        pathspec.GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error) as error:
        raise UsageError(f"{where}: not a valid pattern: {pattern!r}", hint="patterns use gitignore syntax") from error


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _has_signature(directory: int) -> bool:
    try:
        # Non-blocking: the tag may be a FIFO.
        tag = os.open(CACHE_TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    try:
        return os.read(tag, len(CACHE_SIGNATURE)) == CACHE_SIGNATURE
    except OSError:
        return False
    finally:
        os.close(tag)
