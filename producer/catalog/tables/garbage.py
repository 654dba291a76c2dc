"""Finds what nothing needs, and takes it out of the catalog: segments, tree parts, and what forgotten ones planned.

Nothing of an open snapshot is ever garbage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from sqlalchemy import ColumnElement, delete, select

from producer.catalog.database import Database
from producer.catalog.schema import doomed, packed_parts, segments, snapshots, tree_parts
from producer.catalog.tables.doomed import DoomedObject

#: Values in one IN list.
_LIST_ROWS = 500


class Garbage:
    def __init__(self, database: Database) -> None:
        self._database = database

    def objects(self, needed: Collection[str]) -> list[DoomedObject]:
        """The stored objects of segments that are not among the needed ones."""
        return [found for _, _, found in self._unneeded(needed)]

    def doom(self, needed: Collection[str]) -> None:
        """Take them out of the catalog, and note that their devices are to delete them."""
        with self._database.transaction():
            found = list(self._unneeded(needed))
            self._insert(row for _, _, row in found)
            for key, number, _ in found:
                self._database.write(
                    delete(segments).where(segments.c.snapshot_key == key, segments.c.number == number)
                )
            self._database.write(delete(segments).where(*self._never_stored()))

    def drop_parts(self, needed: Collection[bytes]) -> None:
        """Delete tree parts that are not among the needed ones: the next snapshot that has one brings it anew."""
        with self._database.transaction():
            for table in (packed_parts, tree_parts):
                there = {row.digest for row in self._database.read(select(table.c.digest).distinct())}
                for page in _pages(sorted(there.difference(needed))):
                    self._database.write(delete(table).where(table.c.digest.in_(page)))

    def references_of_open(self) -> set[str]:
        """The segments that ranges of raw volumes in open snapshots refer to."""
        statement = select(segments.c.stored_as).join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
        rows = self._database.read(statement.where(snapshots.c.state == "open", segments.c.stored_as.is_not(None)))
        return {row.stored_as for row in rows}

    def stored_on(self, device_id: str) -> set[str]:
        """The objects that the catalog knows on a device."""
        statement = select(segments.c.segment_id).where(
            segments.c.device_id == device_id, segments.c.stored_as.is_(None)
        )
        return {row.segment_id for row in self._database.read(statement)}

    def _unneeded(self, needed: Collection[str]) -> Iterator[tuple[int, int, DoomedObject]]:
        columns = (segments.c.snapshot_key, segments.c.number, segments.c.segment_id)
        stored = select(*columns, segments.c.device_id, segments.c.bytes_stored).join(
            snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key
        )
        on_device = (segments.c.device_id.is_not(None), segments.c.stored_as.is_(None))
        for row in self._database.read(stored.where(snapshots.c.state != "open", *on_device)):
            if row.segment_id not in needed:
                found = DoomedObject(device_id=row.device_id, object_id=row.segment_id, bytes_stored=row.bytes_stored)
                yield row.snapshot_key, row.number, found

    def _insert(self, rows: Iterable[DoomedObject]) -> None:
        values = ((row.device_id, row.object_id, row.bytes_stored) for row in rows)
        self._database.insert_many(doomed, ("device_id", "object_id", "bytes_stored"), values)

    def _never_stored(self) -> tuple[ColumnElement[bool], ...]:
        forgotten = select(snapshots.c.snapshot_key).where(snapshots.c.state == "forgotten")
        return segments.c.snapshot_key.in_(forgotten), segments.c.device_id.is_(None) | segments.c.stored_as.is_not(
            None
        )


def _pages(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    pending = iter(values)
    while page := list(islice(pending, _LIST_ROWS)):
        yield page
