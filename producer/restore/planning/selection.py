"""Which entries of a snapshot to restore, and under which paths in the target.  Pure."""

from __future__ import annotations

import pathspec
from msgspec import Struct

from producer.walk.choosing.exclusions import compile_patterns


class Selection(Struct, frozen=True, kw_only=True):
    """``path`` is a path in the snapshot, "" for all; patterns are gitignore patterns on paths in the snapshot.

    An entry is wanted when it lies at or below ``path``, matches ``include`` if given, and does not match ``exclude``.
    """

    path: str
    include: pathspec.GitIgnoreSpec | None
    exclude: pathspec.GitIgnoreSpec | None

    @classmethod
    def of(cls, path: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> Selection:
        """Raises UsageError for a pattern that does not parse."""
        return cls(
            path=path.strip("/"),
            include=compile_patterns(include, "include pattern") if include else None,
            exclude=compile_patterns(exclude, "exclude pattern") if exclude else None,
        )

    def target_path(self, snapshot_path: str, *, is_directory: bool) -> str | None:
        """Where a wanted entry goes in the target ("" is the target itself); None for one that is not wanted.

        The content of ``path`` goes directly into the target; if ``path`` is not a directory, it goes there by its
        name.
        """
        inside = self.place_of(snapshot_path, is_directory=is_directory)
        if inside is None or not self._fits(snapshot_path, is_directory):
            return None
        return inside

    def prefix_of(self, snapshot_folder: str) -> str | None:
        """The prefix that turns any name in the folder into its path in the target, when all of the folder is wanted.

        None: each entry must be checked by itself.
        """
        if self.has_patterns:
            return None
        inside = self.place_of(snapshot_folder, is_directory=True)
        return f"{inside}/" if inside else inside

    @property
    def has_patterns(self) -> bool:
        return self.include is not None or self.exclude is not None

    def place_of(self, snapshot_path: str, *, is_directory: bool) -> str | None:
        """Like :meth:`target_path`, whatever the patterns say."""
        if not self.path:
            return snapshot_path
        if snapshot_path == self.path:
            return "" if is_directory else snapshot_path.rpartition("/")[2]
        if snapshot_path.startswith(self.path + "/"):
            return snapshot_path[len(self.path) + 1 :]
        return None

    def includes(self, snapshot_path: str, is_directory: bool) -> bool:
        return self.include is None or self.include.match_file(_text(snapshot_path, is_directory))

    def excludes(self, snapshot_path: str, is_directory: bool) -> bool:
        return self.exclude is not None and self.exclude.match_file(_text(snapshot_path, is_directory))

    def _fits(self, snapshot_path: str, is_directory: bool) -> bool:
        return self.includes(snapshot_path, is_directory) and not self.excludes(snapshot_path, is_directory)


def _text(snapshot_path: str, is_directory: bool) -> str:
    """As patterns see it."""
    return snapshot_path + "/" if is_directory else snapshot_path


class NothingByPath(Selection, frozen=True, kw_only=True):
    """Selects nothing: all that is restored has a place of its own (``Wanted.promoted``)."""

    path: str = ""
    include: pathspec.GitIgnoreSpec | None = None
    exclude: pathspec.GitIgnoreSpec | None = None

    def target_path(self, snapshot_path: str, *, is_directory: bool) -> str | None:
        return None

    def prefix_of(self, snapshot_folder: str) -> str | None:
        return None
