"""Locks, and the processes that own them.

A lock is a row that only one process can insert.  Its owner is a row too, which the owner renews: an owner that is gone
is removed, and all its locks with it, on condition that it has not been renewed meanwhile.  Who counts as gone is
decided elsewhere (:mod:`producer.ownership`).
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, type_coerce, update

from producer.catalog.columns import UtcTime
from producer.catalog.database import Database
from producer.catalog.lock_rows import LockRow, NewOwner, OwnerRow
from producer.catalog.schema import locks, owners

_NOW = func.now()
_OWNER = [*owners.c, type_coerce(_NOW, UtcTime).label("now")]
_LOCK = [locks.c.name, locks.c.purpose, locks.c.since.label("locked_since"), *_OWNER]


class Locks(Database):
    def enter_owner(self, owner: NewOwner) -> None:
        """Record a process that is about to own locks; it must be renewed from now on."""
        self._write(insert(owners).values(**asdict(owner), since=_NOW, renewed_at=_NOW))

    def renew_owner(self, owner_id: str) -> bool:
        """Give a sign of life; False when the owner has been taken for gone, and has lost all its locks."""
        beat = update(owners).where(owners.c.owner_id == owner_id)
        return self._write(beat.values(renewed_at=_NOW, beats_count=owners.c.beats_count + 1)) == 1

    def remove_owner(self, owner: OwnerRow) -> bool:
        """Remove an owner with all its locks; False, and nothing changed, when it has been renewed since it was read.

        On PostgreSQL this waits for what the owner writes at this moment; afterwards it writes nothing more.
        """
        unchanged = (owners.c.owner_id == owner.owner_id, owners.c.beats_count == owner.beats_count)
        return self._write(delete(owners).where(*unchanged)) == 1

    def leave_owner(self, owner_id: str) -> None:
        """Give up all locks.  Idempotent."""
        self._write(delete(owners).where(owners.c.owner_id == owner_id))

    def owners(self) -> list[OwnerRow]:
        return [_owner(row) for row in self._read(select(*_OWNER).order_by(owners.c.since, owners.c.owner_id))]

    def take_lock(self, name: str, owner_id: str, purpose: str) -> bool:
        """Whether ``owner_id`` holds the lock now; False when anybody, it included, held it already."""
        row = {"name": name, "owner_id": owner_id, "purpose": purpose, "since": _NOW}
        return self._insert_if_absent(locks, row)

    def release_lock(self, name: str, owner_id: str) -> None:
        """Idempotent; the lock of another owner stays."""
        self._write(delete(locks).where(locks.c.name == name, locks.c.owner_id == owner_id))

    def locks(self) -> list[LockRow]:
        """All of them, by name; whether their owners live is another question."""
        return self._lock_rows(_all_locks())

    def lock(self, name: str) -> LockRow | None:
        return next(iter(self._lock_rows(_all_locks().where(locks.c.name == name))), None)

    def _lock_rows(self, statement: Select[Any]) -> list[LockRow]:
        rows = self._read(statement.order_by(locks.c.name))
        return [LockRow(name=row.name, purpose=row.purpose, since=row.locked_since, owner=_owner(row)) for row in rows]


def _all_locks() -> Select[Any]:
    return select(*_LOCK).join(owners, owners.c.owner_id == locks.c.owner_id)


def _owner(row: Row[Any]) -> OwnerRow:
    values = row._asdict()
    values["silent_s"] = max(0.0, (row.now - row.renewed_at).total_seconds())
    return OwnerRow(**{field.name: values[field.name] for field in fields(OwnerRow)})
