"""What is decided about a snapshot after its seal: its tags, whether it is pinned, and whether it is forgotten.

Heads never change, so devices get all of it in files of its own (:mod:`producer.pool.manifests.marks`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import fields
from sqlalchemy import select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import snapshots
from producer.catalog.tables.snapshots.rows import SnapshotState
from tasks.errors import CatalogError


class MarkedRow(Struct, frozen=True, kw_only=True):
    """A snapshot that was forgotten, or whose tags or pin were changed, and the ids of the devices that know."""

    snapshot_id: str
    state: SnapshotState
    tags: tuple[str, ...]
    pinned: bool
    marked_at: datetime
    marks_on: tuple[str, ...]


class Marks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, snapshot_ids: Collection[str]) -> None:
        """Forget these snapshots, open or sealed: all or none.

        No list, no search and no backup knows them from now on.  Their rows, trees and segments stay, for anyone who
        removes from the devices what nothing else needs.  Raises CatalogError for one that is unknown, forgotten
        already, or pinned.
        """
        with self._database.transaction():
            for snapshot_id in snapshot_ids:
                self._forget(snapshot_id)

    def replace(self, snapshot_id: str, by: str, *, head_digest: bytes, holders: Collection[str]) -> None:
        """Forget a sealed snapshot; ``by``, which is recorded as a forgotten one, is sealed in its place, and pinned if
        it was.

        ``head_digest``: of the manifest of ``by``, which these devices hold.  Raises CatalogError, and changes nothing,
        for a snapshot that is not sealed.
        """
        with self._database.transaction():
            is_old, is_new = snapshots.c.snapshot_id == snapshot_id, snapshots.c.snapshot_id == by
            old = self._database.read_one(select(snapshots.c.pinned).where(is_old, snapshots.c.state == "sealed"))
            if old is None:
                raise CatalogError(f"snapshot {snapshot_id} is not sealed")
            self._database.write(update(snapshots).where(is_old).values(pinned=False))
            self._forget(snapshot_id)
            marks = {"pinned": old.pinned, "marked_at": datetime.now(UTC) if old.pinned else None}
            sealed = {"state": "sealed", "forgotten_at": None, "head_digest": head_digest, "holders": sorted(holders)}
            self._database.write(update(snapshots).where(is_new).values(**sealed, **marks))

    def set_pinned(self, snapshot_id: str, pinned: bool) -> None:
        """Raises CatalogError for a snapshot that is not sealed."""
        self._mark(snapshot_id, pinned=pinned)

    def set_tags(self, snapshot_id: str, tags: Sequence[str]) -> None:
        """Replace the tags; raises CatalogError for a snapshot that is not sealed."""
        self._mark(snapshot_id, tags=list(tags))

    def restore(self, row: MarkedRow) -> None:
        """Record tags and pin of a sealed snapshot as devices have them."""
        values = {
            "tags": list(row.tags),
            "pinned": row.pinned,
            "marked_at": row.marked_at,
            "marks_on": list(row.marks_on),
        }
        where = (snapshots.c.snapshot_id == row.snapshot_id, snapshots.c.state == "sealed")
        self._database.write(update(snapshots).where(*where).values(**values))

    def unwritten(self, pool_id: str) -> list[MarkedRow]:
        """The snapshots of a pool that were forgotten, or whose tags or pin were changed."""
        columns = [snapshots.c[name.name] for name in fields(MarkedRow)]
        marked = (snapshots.c.pool_id == pool_id, snapshots.c.state != "open", snapshots.c.marked_at.is_not(None))
        rows = self._database.read(select(*columns).where(*marked).order_by(snapshots.c.snapshot_id))
        return [
            MarkedRow(**{**row._asdict(), "tags": tuple(row.tags), "marks_on": tuple(row.marks_on)}) for row in rows
        ]

    def record_written(self, row: MarkedRow, device_ids: Collection[str]) -> None:
        """These devices know what this row says; what was changed since then they do not."""
        known = sorted({*row.marks_on, *device_ids})
        same = (snapshots.c.snapshot_id == row.snapshot_id, snapshots.c.marked_at == row.marked_at)
        self._database.write(update(snapshots).where(*same).values(marks_on=known))

    def _forget(self, snapshot_id: str) -> None:
        may = (snapshots.c.snapshot_id == snapshot_id, snapshots.c.state != "forgotten", snapshots.c.pinned.is_(False))
        now = datetime.now(UTC)
        values = {"state": "forgotten", "forgotten_at": now, "marked_at": now, "marks_on": []}
        forgotten = update(snapshots).where(*may).values(**values)
        if not self._database.write(forgotten):
            raise CatalogError(f"snapshot {snapshot_id} is pinned, or no longer in the catalog")

    def _mark(self, snapshot_id: str, **values: Any) -> None:
        where = (snapshots.c.snapshot_id == snapshot_id, snapshots.c.state == "sealed")
        marked = update(snapshots).where(*where).values(**values, marked_at=datetime.now(UTC), marks_on=[])
        if not self._database.write(marked):
            raise CatalogError(f"snapshot {snapshot_id} is not sealed")
