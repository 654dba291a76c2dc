"""What was wrong with source files, snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, delete, func, insert, select

from producer.catalog.database.database import Database
from producer.catalog.schema import troubles

_COLUMNS = [troubles.c.entry_index, troubles.c.path, troubles.c.code, troubles.c.message]


class TroubleRow(Struct, frozen=True, kw_only=True):
    """Something wrong with one source file.  ``entry_index`` is None for what is not in the listing."""

    entry_index: int | None
    path: str
    code: str
    message: str


class Troubles:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, snapshot_id: str, rows: Iterable[TroubleRow]) -> None:
        """Record troubles, all or none.  Not idempotent: add a receipt's only when record_stored counted it."""
        key = self._database.snapshot_key(snapshot_id)
        values = [{"snapshot_key": key, **asdict(row)} for row in rows]
        if values:
            self._database.write(insert(troubles), values)

    def all(self, snapshot_id: str) -> list[TroubleRow]:
        """All troubles of a snapshot, in the order in which they were recorded."""
        statement = select(*_COLUMNS).where(self._of(snapshot_id)).order_by(troubles.c.trouble_key)
        return [TroubleRow(**row._asdict()) for row in self._database.read(statement)]

    def count(self, snapshot_id: str) -> int:
        return int(self._database.read(select(func.count()).where(self._of(snapshot_id)))[0][0])

    def clear(self, snapshot_id: str, *, of_walk_only: bool) -> None:
        """Remove the troubles that a new walk, or new segments, will report again."""
        statement = delete(troubles).where(self._of(snapshot_id))
        self._database.write(statement.where(troubles.c.entry_index.is_(None)) if of_walk_only else statement)

    def clear_entries(self, snapshot_id: str, entries: Sequence[int]) -> None:
        """Remove the troubles of files that are stored again."""
        of_snapshot = delete(troubles).where(self._of(snapshot_id))
        for entry in entries:
            self._database.write(of_snapshot.where(troubles.c.entry_index == entry))

    def _of(self, snapshot_id: str) -> ColumnElement[bool]:
        return troubles.c.snapshot_key == self._database.snapshot_key(snapshot_id)
