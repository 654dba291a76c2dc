"""What a backup could not take of its sources, as its troubles have it: no restore can bring it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from msgspec import Struct

from producer.catalog.tables.snapshots.rows import SourceRow
from producer.catalog.tables.troubles import TroubleRow

#: Codes of troubles that leave nothing, or not all, of a file or folder in the snapshot.
_CODES = frozenset({"vanished", "unreadable", "path-too-long", "too-large", "bad-blocks"})


class Untaken(Struct, frozen=True, kw_only=True):
    """``path`` begins with the name of its source.  ``entry_index``: of a file in the listing."""

    path: str
    entry_index: int | None
    message: str


def untaken(troubles: Sequence[TroubleRow], sources: Sequence[SourceRow]) -> Iterator[Untaken]:
    """What these troubles of a snapshot say is missing: each path once, in their order."""
    told: set[str] = set()
    for row in troubles:
        path = _snapshot_path(row.path, sources) if row.code in _CODES else ""
        if path and path not in told:
            told.add(path)
            yield Untaken(path=path, entry_index=row.entry_index, message=row.message)


def _snapshot_path(path: str, sources: Sequence[SourceRow]) -> str:
    """The path in the snapshot of what is at ``path`` on the source's host."""
    holding = [source for source in sources if PurePath(path).is_relative_to(source.path)]
    if not holding:
        return path
    source = max(holding, key=lambda row: len(row.path))
    below = PurePath(path).relative_to(source.path).as_posix()
    return source.name if below == "." else f"{source.name}/{below}"
