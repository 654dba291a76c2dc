"""What is decided about a snapshot after its seal; every run that writes brings it to the devices.

Tags and pins become marks, and a forgotten snapshot gets a tombstone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.marks import MarkedRow
from producer.manifest.marks import SnapshotMarks, encode_marks, marks_name
from producer.manifest.tombstones import encode_tombstone, tombstone_name


def marks_for(rows: Iterable[MarkedRow], device_id: str, catalog_id: str) -> dict[str, bytes]:
    """Name → content of the files that a device lacks."""
    return dict(_file(row, catalog_id) for row in rows if device_id not in row.marks_on)


def record_marks(catalog: Catalog, rows: Iterable[MarkedRow], device_ids: Collection[str]) -> None:
    """These devices have all of them now."""
    with catalog.transaction():
        for row in rows:
            if not set(device_ids) <= set(row.marks_on):
                catalog.marks.record_written(row, device_ids)


def newest_marks(copies: Iterable[SnapshotMarks]) -> Mapping[str, SnapshotMarks]:
    """Snapshot → the marks that were changed last, out of what several devices have."""
    found: dict[str, SnapshotMarks] = {}
    for marks in copies:
        known = found.get(marks.snapshot_id)
        if known is None or known.changed < marks.changed:
            found[marks.snapshot_id] = marks
    return found


def _file(row: MarkedRow, catalog_id: str) -> tuple[str, bytes]:
    if row.state == "forgotten":
        return tombstone_name(row.snapshot_id), encode_tombstone(row.snapshot_id, catalog_id)
    marks = SnapshotMarks(snapshot_id=row.snapshot_id, tags=row.tags, pinned=row.pinned, changed=row.marked_at)
    return marks_name(row.snapshot_id), encode_marks(marks)
