"""Which snapshots are to be rewritten, and which cannot be."""

from __future__ import annotations

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.names import parse_name
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.requests import RewriteRequest
from tasks.errors import UsageError


def named(catalog: Catalog, request: RewriteRequest) -> list[SnapshotRow]:
    """The snapshots of a request, the oldest first; raises UsageError for one that is unknown or held."""
    if request.names:
        ids = {_find(catalog, name).snapshot_id for name in request.names}
    else:
        ids = {row.snapshot_id for row in catalog.snapshots.sealed_of(request.volume)}
    unfinished = catalog.snapshots.all("open")
    for child in unfinished:
        if child.parent_id in ids:
            raise UsageError(
                f"snapshot {child.parent_id[:8]} is the parent of {child.snapshot_id[:8]}, which is unfinished",
                hint="resume that one, or forget it; nothing has been changed",
            )
    return [row for row in catalog.snapshots.all() if row.snapshot_id in ids]


def _find(catalog: Catalog, name: str) -> SnapshotRow:
    try:
        return catalog.snapshots.find(name)
    except UsageError:
        digits = parse_name(name)
        if isinstance(digits, str) and any(row.snapshot_id.startswith(digits) for row in catalog.snapshots.all("open")):
            raise UsageError(
                f"snapshot {digits[:8]} is unfinished: only a complete one can be rewritten",
                hint="resume it first, or forget it and back up again",
            ) from None
        raise
