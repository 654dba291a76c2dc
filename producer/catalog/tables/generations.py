"""Who this catalog is, and how often it has changed what the devices hold.

Each seal and each prune raises the generation, here and on the devices.  A copy of the catalog does not know the
generations that came after it: that is how it is noticed.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import generations, identity
from tasks.generations import Generation

_THE_ROW = 1


class Generations:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalog_id = ""

    @property
    def catalog_id(self) -> str:
        """The id that devices know this catalog by; made when it is first asked for."""
        if not self._catalog_id:
            self._catalog_id = self._read_id() or self._make_id()
        return self._catalog_id

    def raise_(self) -> Generation:
        """Begin the next generation; it survives a power cut, so the devices are never ahead of the catalog."""
        catalog_id, token = self.catalog_id, uuid.uuid4().hex
        with self._database.durable_transaction():
            # Another manager may raise it at the same moment.
            while not self._database.insert_if_absent(
                generations, {"number": (number := self._last() + 1), "token": token, "raised_at": datetime.now(UTC)}
            ):
                continue
        return Generation(catalog_id=catalog_id, number=number, token=token)

    def _last(self) -> int:
        return self._database.read(select(func.max(generations.c.number)))[0][0] or 0

    def knows(self, found: Generation) -> bool:
        """Whether this catalog has begun that generation, or is a later copy of the one that has."""
        same = select(generations.c.number).where(
            generations.c.number == found.number, generations.c.token == found.token
        )
        return self._database.read_one(same) is not None

    def learn(self, found: Generation) -> None:
        """Count a generation as one of this catalog's: what came with it was read from the devices.  Idempotent."""
        values = {"token": found.token, "raised_at": datetime.now(UTC)}
        with self._database.transaction():
            if not self._database.insert_if_absent(generations, {"number": found.number, **values}):
                self._database.write(update(generations).where(generations.c.number == found.number).values(**values))

    def become(self, catalog_id: str) -> None:
        """Take the place of another catalog, which is lost: devices know this one by its id from now on."""
        with self._database.transaction():
            if not self._database.insert_if_absent(identity, {"key": _THE_ROW, "catalog_id": catalog_id}):
                self._database.write(update(identity).values(catalog_id=catalog_id))
        self._catalog_id = catalog_id

    def _read_id(self) -> str:
        row = self._database.read_one(select(identity.c.catalog_id))
        return "" if row is None else str(row.catalog_id)

    def _make_id(self) -> str:
        # Another process may be faster.
        self._database.insert_if_absent(identity, {"key": _THE_ROW, "catalog_id": uuid.uuid4().hex})
        return self._read_id()
