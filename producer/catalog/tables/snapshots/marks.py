"""What is decided about a snapshot after its seal: its tags, whether it is pinned, and whether it is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from producer.catalog.database import Database
from producer.catalog.schema import snapshots
from tasks.errors import CatalogError


class Marks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, snapshot_ids: Collection[str]) -> None:
        """Forget these snapshots, open or sealed: all or none.

        No list, no search and no backup knows them from now on.  Their rows, trees and segments stay, for whoever
        removes from the devices what nothing else needs.  Raises CatalogError for one that is unknown, forgotten
        already, or pinned.
        """
        with self._database.transaction():
            for snapshot_id in snapshot_ids:
                self._forget(snapshot_id)

    def set_pinned(self, snapshot_id: str, pinned: bool) -> None:
        """Raises CatalogError for a snapshot that is not sealed."""
        self._mark(snapshot_id, pinned=pinned)

    def set_tags(self, snapshot_id: str, tags: Sequence[str]) -> None:
        """Replace the tags; raises CatalogError for a snapshot that is not sealed."""
        self._mark(snapshot_id, tags=list(tags))

    def _forget(self, snapshot_id: str) -> None:
        may = (snapshots.c.snapshot_id == snapshot_id, snapshots.c.state != "forgotten", snapshots.c.pinned.is_(False))
        forgotten = update(snapshots).where(*may).values(state="forgotten", forgotten_at=datetime.now(UTC))
        if not self._database.write(forgotten):
            raise CatalogError(f"snapshot {snapshot_id} is pinned, or the catalog has it no more")

    def _mark(self, snapshot_id: str, **values: Any) -> None:
        where = (snapshots.c.snapshot_id == snapshot_id, snapshots.c.state == "sealed")
        marked = update(snapshots).where(*where).values(**values, marked_at=datetime.now(UTC))
        if not self._database.write(marked):
            raise CatalogError(f"snapshot {snapshot_id} is not sealed")
