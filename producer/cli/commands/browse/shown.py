"""Which entries ``segfleet ls`` shows, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from producer.cli.options.entry_filter import EntryFilter

if TYPE_CHECKING:
    from producer.restore.planning.selection import Selection


class Shown(Struct, frozen=True, kw_only=True):
    chosen: EntryFilter
    #: None: any path.
    patterns: Selection | None
    long: bool
    human_readable: bool

    def fits(self, path: str, kind: str, size_bytes: int, mtime_ns: int) -> bool:
        """``path`` begins with the name of the source."""
        if not self.chosen.fits(kind, size_bytes, mtime_ns):
            return False
        return self.patterns is None or self.patterns.target_path(path, is_directory=kind == "directory") is not None


def patterns_of(include: tuple[str, ...], exclude: tuple[str, ...]) -> Selection | None:
    """None without patterns.  Raises UsageError for one that does not parse."""
    if not (include or exclude):
        return None
    # Only here: most lists need no patterns, and no time to import them.
    from producer.restore.planning.selection import Selection

    return Selection.of("", include, exclude)
