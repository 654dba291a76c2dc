"""Scans a source while the run that is to walk it is still being imported, which takes half a second."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from producer.host.scouting.scouts import Scout
from producer.requests import Exclusions, Source
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.found import Rest
from producer.walk.known import KnownDirectories
from producer.walk.scanner import scan
from producer.walk.tree import SourceTree

#: A run that had to wait before it could walk sees the source as it is then.
_FRESH_S = 10.0


class EarlyScan:
    """A scout that is at work; what it finds waits in it.  It ends with this process at the latest."""

    def __init__(
        self, source: Source, exclusions: Exclusions, *, limit_s: float, known: KnownDirectories | None = None
    ) -> None:
        """``known``: directories that need no closer look."""
        #: Before anything was looked at.
        self.started_at = datetime.now(UTC)
        self._began_s = time.monotonic()
        self._source = source
        self._exclusions = exclusions
        self._limit_s = limit_s
        self.known = known
        tree = SourceTree(
            str(source.path),
            ExclusionRules(exclusions),
            name=source.name,
            one_file_system=exclusions.one_file_system,
            on_trouble=lambda trouble: None,
            only=source.only,
            known=None if known is None else known.marks(source.name),
        )
        self._scout: Scout | None = Scout(partial(scan, tree, Rest([""]), limit_s))

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self._began_s < _FRESH_S

    def take(
        self,
        source: Source,
        exclusions: Exclusions,
        left_out: Collection[Path],
        limit_s: float,
        known: KnownDirectories | None,
    ) -> Scout | None:
        """The scout, to be used in a with block, if it does what is asked for and began just now.  Only once."""
        scout, self._scout = self._scout, None
        asked, meant = (source, exclusions, limit_s), (self._source, self._exclusions, self._limit_s)
        is_meant = asked == meant and known is self.known
        if scout is None or (is_meant and self.is_fresh and not _has_some(source.path, left_out)):
            return scout
        with scout:
            return None

    def end(self) -> None:
        """End the scout if nobody has taken it."""
        scout, self._scout = self._scout, None
        if scout is not None:
            with scout:
                pass


def _has_some(folder: Path, paths: Collection[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in paths)
