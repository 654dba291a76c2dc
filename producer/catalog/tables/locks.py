"""Locks: rows that only one process can insert, and that go with their owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, delete, select

from producer.catalog.database.database import Database
from producer.catalog.schema import locks, owners
from producer.catalog.tables.owners import NOW, OWNER_COLUMNS, OwnerRow, owner_row

_COLUMNS = [locks.c.name, locks.c.purpose, locks.c.since.label("locked_since"), *OWNER_COLUMNS]
_BY_NAME = select(*_COLUMNS).join(owners, owners.c.owner_id == locks.c.owner_id).order_by(locks.c.name)


class LockRow(Struct, frozen=True, kw_only=True):
    name: str
    purpose: str
    since: datetime
    owner: OwnerRow


class Locks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, owner_id: str, purpose: str) -> bool:
        """Whether ``owner_id`` holds the lock now; False when anybody, it included, held it already."""
        row = {"name": name, "owner_id": owner_id, "purpose": purpose, "since": NOW}
        return self._database.insert_if_absent(locks, row)

    def release(self, name: str, owner_id: str) -> None:
        """Idempotent; the lock of another owner stays."""
        self._database.write(delete(locks).where(locks.c.name == name, locks.c.owner_id == owner_id))

    def all(self) -> list[LockRow]:
        """All locks, by name; whether their owners live is another question."""
        return self._rows(_BY_NAME)

    def get(self, name: str) -> LockRow | None:
        return next(iter(self._rows(_BY_NAME.where(locks.c.name == name))), None)

    def _rows(self, statement: Select[Any]) -> list[LockRow]:
        rows = self._database.read(statement)
        return [
            LockRow(name=row.name, purpose=row.purpose, since=row.locked_since, owner=owner_row(row)) for row in rows
        ]
