"""What remains of forgotten snapshots, until nothing of them is left anywhere.

A row stays while others need segments or tree parts that the snapshot brought, and while a device may hold its
manifest.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import (
    attempts,
    listing_parts,
    packed_parts,
    segments,
    snapshots,
    stored_objects,
    trees,
    troubles,
)


class Remains:
    def __init__(self, database: Database) -> None:
        self._database = database

    def set_holders(self, snapshot_id: str, device_ids: Collection[str]) -> None:
        """Record which devices have the index lines of what the snapshot stored."""
        self._change(snapshot_id, holders=sorted(device_ids))

    def set_gone_from(self, snapshot_id: str, device_ids: Collection[str]) -> None:
        """Record which devices have no file of its manifest any more."""
        self._change(snapshot_id, gone_from=sorted(device_ids))

    def strip(self, snapshot_id: str) -> None:
        """Delete all of a forgotten snapshot that only itself needs: its entries, its troubles, its failed tries."""
        key = self._database.snapshot_key(snapshot_id)
        with self._database.transaction():
            for table in (listing_parts, trees, attempts, troubles):
                self._database.write(delete(table).where(table.c.snapshot_key == key))

    def is_empty(self, snapshot_id: str) -> bool:
        """Whether nothing that it stored or brought is left."""
        key = self._database.snapshot_key(snapshot_id)
        rows = (
            select(segments.c.snapshot_key).where(segments.c.snapshot_key == key),
            select(packed_parts.c.snapshot_key).where(packed_parts.c.snapshot_key == key),
            select(stored_objects.c.snapshot_id).where(stored_objects.c.snapshot_id == snapshot_id),
        )
        return not any(self._database.read(statement.limit(1)) for statement in rows)

    def drop(self, snapshot_id: str) -> None:
        """Delete the row: no device has anything of the snapshot."""
        self._database.write(
            delete(snapshots).where(snapshots.c.snapshot_id == snapshot_id, snapshots.c.state == "forgotten")
        )
        self._database.forget_key(snapshot_id)

    def _change(self, snapshot_id: str, **values: object) -> None:
        where = snapshots.c.snapshot_key == self._database.snapshot_key(snapshot_id)
        self._database.write(update(snapshots).where(where).values(**values))
