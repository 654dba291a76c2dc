"""The processes that own locks or run a reservation.

A process renews its row while it lives.  The row of an owner that is gone is removed, and all its locks with it, unless
it was renewed meanwhile.  :mod:`producer.ownership` decides who counts as gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, fields
from sqlalchemy import Row, delete, func, insert, select, type_coerce, update

from producer.catalog.columns import UtcTime
from producer.catalog.database.database import Database
from producer.catalog.schema import owners

#: The database's clock.
NOW = func.now()
#: What :func:`owner_row` needs.
OWNER_COLUMNS = [*owners.c, type_coerce(NOW, UtcTime).label("now")]


class NewOwner(Struct, frozen=True, kw_only=True):
    """A process that is about to own locks; :mod:`producer.host.processes` says how it is identified."""

    owner_id: str
    host: str
    pid_space: str
    pid: int
    process_start: str
    #: The manager on whose behalf it runs; "" when a person started it.
    manager: str


class OwnerRow(NewOwner, frozen=True, kw_only=True):
    """A process that owns locks, or that died while it did.  Its times are those of the database's clock."""

    since: datetime
    #: Its last sign of life, and how long ago that was.
    renewed_at: datetime
    silent_s: float
    beats_count: int


class Owners:
    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, owner: NewOwner) -> None:
        """Record a process that is about to own locks; it must be renewed from now on."""
        self._database.write(insert(owners).values(**asdict(owner), since=NOW, renewed_at=NOW))

    def renew(self, owner_id: str) -> bool:
        """Give a sign of life; False when the owner was taken for gone, and has lost all its locks."""
        beat = update(owners).where(owners.c.owner_id == owner_id)
        return self._database.write(beat.values(renewed_at=NOW, beats_count=owners.c.beats_count + 1)) == 1

    def remove(self, owner: OwnerRow) -> bool:
        """Remove an owner with all its locks; False, and nothing changed, when it was renewed since it was read.

        On PostgreSQL this waits for what the owner writes at this moment; afterwards it writes nothing more.
        """
        unchanged = (owners.c.owner_id == owner.owner_id, owners.c.beats_count == owner.beats_count)
        return self._database.write(delete(owners).where(*unchanged)) == 1

    def leave(self, owner_id: str) -> None:
        """Give up all locks.  Idempotent."""
        self._database.write(delete(owners).where(owners.c.owner_id == owner_id))

    def all(self) -> list[OwnerRow]:
        statement = select(*OWNER_COLUMNS).order_by(owners.c.since, owners.c.owner_id)
        return [owner_row(row) for row in self._database.read(statement)]


def owner_row(row: Row[Any]) -> OwnerRow:
    """An owner from a row that has OWNER_COLUMNS among others."""
    values = row._asdict()
    values["silent_s"] = max(0.0, (row.now - row.renewed_at).total_seconds())
    return OwnerRow(**{field.name: values[field.name] for field in fields(OwnerRow)})
