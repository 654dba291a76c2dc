"""Finds what nothing needs, and takes it out of the catalog: objects, segments and tree parts.

Nothing of an open snapshot is ever garbage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import and_, delete, insert, or_, select

from producer.catalog.database.database import Database
from producer.catalog.schema import doomed, packed_parts, segment_cells, segments, snapshots, stored_objects, tree_parts
from producer.catalog.tables.doomed import DoomedObject

T = TypeVar("T")

#: Values in one IN list.
_LIST_ROWS = 500


class Garbage:
    def __init__(self, database: Database) -> None:
        self._database = database

    def objects(self, needed: Collection[str]) -> list[DoomedObject]:
        """The stored objects of segments that are not among the needed ones.

        Only those that snapshots have brought which this catalog has ended: of others nobody can say who needs them.
        """
        columns = (stored_objects.c.device_id, stored_objects.c.object_id, stored_objects.c.bytes_stored)
        ended = select(snapshots.c.snapshot_id).where(snapshots.c.state != "open")
        statement = select(*columns, stored_objects.c.segment_id).where(stored_objects.c.snapshot_id.in_(ended))
        return [
            DoomedObject(device_id=row.device_id, object_id=row.object_id, bytes_stored=row.bytes_stored)
            for row in self._database.read(statement)
            if row.segment_id not in needed
        ]

    def doom(self, needed: Collection[str]) -> None:
        """Take them out of the catalog, and note that their devices are to delete them.

        Of forgotten snapshots the segments go too that are not needed.
        """
        with self._database.transaction():
            self._spare_known()
            for page in _pages(self.objects(needed)):
                rows = [
                    {"device_id": row.device_id, "object_id": row.object_id, "bytes_stored": row.bytes_stored}
                    for row in page
                ]
                self._database.write(insert(doomed), rows)
                mine = (
                    and_(stored_objects.c.object_id == row.object_id, stored_objects.c.device_id == row.device_id)
                    for row in page
                )
                self._database.write(delete(stored_objects).where(or_(*mine)))
            self._drop_segments(needed)

    def drop_parts(self, needed: Collection[bytes]) -> None:
        """Delete tree parts that are not needed; the next snapshot that has one of them brings it again."""
        with self._database.transaction():
            for table in (packed_parts, tree_parts):
                there = {row.digest for row in self._database.read(select(table.c.digest).distinct())}
                for page in _pages(sorted(there.difference(needed))):
                    self._database.write(delete(table).where(table.c.digest.in_(page)))

    def healed_by_open(self) -> set[str]:
        """The segments of which open snapshots store something again."""
        statement = select(segments.c.stored_as).join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
        rows = self._database.read(statement.where(snapshots.c.state == "open", segments.c.stored_as.is_not(None)))
        return {row.stored_as for row in rows}

    def known_on(self, device_id: str) -> set[str]:
        """The ids of the objects that the catalog knows on a device, those to be deleted among them."""
        return {
            row.object_id
            for table in (stored_objects, doomed)
            for row in self._database.read(select(table.c.object_id).where(table.c.device_id == device_id))
        }

    def stored_among(self, object_ids: Iterable[str]) -> set[str]:
        """Those of the objects that the index has on any device."""
        of_page = (
            select(stored_objects.c.object_id).where(stored_objects.c.object_id.in_(page))
            for page in _pages(object_ids)
        )
        return {row.object_id for statement in of_page for row in self._database.read(statement)}

    def indexed_by(self, snapshot_id: str) -> set[str]:
        """The segments whose objects stand in the index that a snapshot has brought to the devices."""
        statement = select(stored_objects.c.segment_id).where(stored_objects.c.snapshot_id == snapshot_id)
        return {row.segment_id for row in self._database.read(statement)}

    def _spare_known(self) -> None:
        """What a rebuild has recorded again is no longer doomed."""
        same = (stored_objects.c.object_id == doomed.c.object_id, stored_objects.c.device_id == doomed.c.device_id)
        self._database.write(delete(doomed).where(select(stored_objects.c.object_id).where(*same).exists()))

    def _drop_segments(self, needed: Collection[str]) -> None:
        columns = (segments.c.snapshot_key, segments.c.number, segments.c.segment_id, segments.c.stored_as)
        statement = select(*columns).join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
        rows = self._database.read(statement.where(snapshots.c.state == "forgotten"))
        for row in rows:
            if row.segment_id not in needed or row.stored_as is not None:
                is_this = (segments.c.snapshot_key == row.snapshot_key, segments.c.number == row.number)
                self._database.write(delete(segments).where(*is_this))
        with_cells = {row.segment_id for row in self._database.read(select(segment_cells.c.segment_id))}
        for page in _pages(sorted(with_cells.difference(needed))):
            self._database.write(delete(segment_cells).where(segment_cells.c.segment_id.in_(page)))


def _pages(values: Iterable[T]) -> Iterator[list[T]]:
    pending = iter(values)
    while page := list(islice(pending, _LIST_ROWS)):
        yield page
