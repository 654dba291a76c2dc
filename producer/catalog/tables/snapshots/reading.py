"""How rows of snapshots are read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from producer.catalog.schema import snapshots
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow, SourceRow
from tasks.sources.metadata import OwnerNames

#: All columns of SnapshotRow, under its names.
COLUMNS = [column for column in snapshots.c if column.name not in ("snapshot_key", "position")]

#: By their making: a clock may have been wrong.
NEWEST_FIRST = (snapshots.c.position.desc(),)


def snapshot_row(row: Row[Any]) -> SnapshotRow:
    """The row that a statement over :data:`COLUMNS` has read."""
    values = row._asdict()
    for name in ("tags", "holders", "marks_on", "gone_from"):
        values[name] = tuple(values[name])
    values["sources"] = tuple(SourceRow(**source) for source in values["sources"])
    values["owner_names"] = OwnerNames(**values["owner_names"])
    values["lacks"] = tuple(LackRow(**lack) for lack in values["lacks"])
    return SnapshotRow(**values)
