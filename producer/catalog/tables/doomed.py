"""Stored objects that no snapshot needs: on which device each is, until that device has deleted it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct
from sqlalchemy import delete, func, select

from producer.catalog.database.database import Database
from producer.catalog.schema import doomed

#: Ids in one IN list.
_LIST_ROWS = 500


class DoomedObject(Struct, frozen=True, kw_only=True):
    device_id: str
    object_id: str
    bytes_stored: int


class Doomed:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Iterable[DoomedObject]) -> None:
        """Record what is to be deleted; nothing of it may be in the catalog as stored from then on."""
        values = ((row.device_id, row.object_id, row.bytes_stored) for row in rows)
        self._database.insert_many(doomed, ("device_id", "object_id", "bytes_stored"), values)

    def on(self, device_id: str) -> list[DoomedObject]:
        """What the device is to delete, in order of the names."""
        statement = select(doomed).where(doomed.c.device_id == device_id).order_by(doomed.c.object_id)
        return [DoomedObject(**row._asdict()) for row in self._database.read(statement)]

    def sums(self) -> dict[str, tuple[int, int]]:
        """Device id → how many objects wait there to be deleted, and their bytes."""
        sums = (func.count().label("objects_count"), func.sum(doomed.c.bytes_stored).label("size_bytes"))
        statement = select(doomed.c.device_id, *sums)
        rows = self._database.read(statement.group_by(doomed.c.device_id))
        return {row.device_id: (row.objects_count, int(row.size_bytes)) for row in rows}

    def remove(self, device_id: str, object_ids: Collection[str]) -> None:
        """They are gone from the device."""
        ids = sorted(object_ids)
        with self._database.transaction():
            for start in range(0, len(ids), _LIST_ROWS):
                page = ids[start : start + _LIST_ROWS]
                self._database.write(
                    delete(doomed).where(doomed.c.device_id == device_id, doomed.c.object_id.in_(page))
                )

    def drop_device(self, device_id: str) -> None:
        """The device is lost, with all that it was to delete."""
        self._database.write(delete(doomed).where(doomed.c.device_id == device_id))
