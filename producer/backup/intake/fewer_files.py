"""Does a source hold what it held last time?  Its disk may not be mounted."""

from __future__ import annotations

from collections.abc import Mapping

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.requests import BackupRequest
from tasks.errors import EmptySourceError


def refuse_sudden_emptiness(
    catalog: Catalog, request: BackupRequest, files_counts: Mapping[str, int], interrupted: SnapshotRow | None
) -> None:
    """Raises EmptySourceError for a source without any file that had some in the last snapshot of its volume.

    ``files_counts``: by source, those that are not read raw.  ``interrupted``: the snapshot that this run continues.
    """
    empty = {name for name, count in files_counts.items() if not count}
    if request.allow_empty or not empty:
        return
    for earlier in filter(None, (interrupted, catalog.snapshots.last_of(request.volume))):
        for source in request.sources:
            count = _files_count(catalog, earlier, source.name) if source.name in empty else 0
            if count:
                raise EmptySourceError(
                    f"source {source.name} ({source.path}) is empty; in snapshot {earlier.snapshot_id[:8]} it has "
                    f"{count} files",
                    path=str(source.path),
                )


def fewer_files_count(catalog: Catalog, request: BackupRequest, files_count: int) -> int:
    """How many files fewer the sources have than in the last snapshot of the volume; 0 where nothing compares."""
    last = catalog.snapshots.last_of(request.volume)
    if last is None or {(row.name, row.mode) for row in last.sources} != {
        (row.name, row.mode) for row in request.sources
    }:
        return 0
    return max(0, last.files_count - files_count)


def _files_count(catalog: Catalog, snapshot: SnapshotRow, source: str) -> int:
    is_open = snapshot.state == "open"
    batches = (
        catalog.listing.batches(snapshot.snapshot_id) if is_open else catalog.trees.of(snapshot.snapshot_id).batches()
    )
    return sum(batch.kinds.count("f") for batch in batches if batch.source == source)
