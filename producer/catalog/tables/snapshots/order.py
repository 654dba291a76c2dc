"""The order of snapshots: that of their making, whatever the clocks said.

Positions have gaps, so that a snapshot which a rebuild finds on the devices gets its place among those that the catalog
knows: with positions at the end only, ``latest`` would then be an old one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from producer.catalog.database.database import Database
from producer.catalog.schema import snapshots
from tasks.errors import CatalogError

#: Room for two thousand million snapshots.
_STEP = 2**32

#: Found snapshots come one after the other, each behind the last: a thousandth of the gap leaves room for 16,000 more,
#: and for others between them.
_SHARE = 1024


class SnapshotOrder:
    def __init__(self, database: Database) -> None:
        self._database = database

    def end(self) -> int:
        """The position after all others."""
        last = self._database.read(select(func.max(snapshots.c.position)))[0][0]
        return _STEP if last is None else (int(last) // _STEP + 1) * _STEP

    def place_of(self, started_at: datetime, parent_id: str) -> int:
        """A free position after the snapshot's parent and after all that began before it.

        Raises CatalogError when there is no room.
        """
        statement = select(snapshots.c.position, snapshots.c.started_at, snapshots.c.snapshot_id)
        others = self._database.read(statement.order_by(snapshots.c.position))
        place = len(others)
        while place and not (others[place - 1].started_at <= started_at or others[place - 1].snapshot_id == parent_id):
            place -= 1
        if place == len(others):
            return self.end()
        after = int(others[place].position)
        before = int(others[place - 1].position) if place else after - 2 * _STEP
        if after - before < 2:
            raise CatalogError("too many snapshots were found between two that the catalog knows")
        return before + max(1, (after - before) // _SHARE)
