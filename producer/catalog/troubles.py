"""What was wrong with source files, snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import func, insert, select

from producer.catalog.database import Database
from producer.catalog.rows import TroubleRow
from producer.catalog.schema import troubles

_COLUMNS = [troubles.c.entry_index, troubles.c.path, troubles.c.code, troubles.c.message]


class Troubles(Database):
    def add_troubles(self, snapshot_id: str, rows: Iterable[TroubleRow]) -> None:
        """Record troubles, all or none.  Not idempotent: add a receipt's only when record_stored counted it."""
        key = self._key(snapshot_id)
        values = [{"snapshot_key": key, **asdict(row)} for row in rows]
        if values:
            self._write(insert(troubles), values)

    def troubles(self, snapshot_id: str) -> list[TroubleRow]:
        """In the order in which they were recorded."""
        statement = select(*_COLUMNS).where(troubles.c.snapshot_key == self._key(snapshot_id))
        return [TroubleRow(**row._asdict()) for row in self._read(statement.order_by(troubles.c.trouble_key))]

    def troubles_count(self, snapshot_id: str) -> int:
        statement = select(func.count()).where(troubles.c.snapshot_key == self._key(snapshot_id))
        return int(self._read(statement)[0][0])
