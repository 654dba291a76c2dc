"""The index: which stored object has which ranges of a segment's stream, on which device.

A segment is a logical address, and never changes.  Usually one object holds all of it.  Several objects of a segment
are copies, where their ranges are the same, or parts of it: what a repack has kept, or healing has brought back.
A row is independent of the snapshot that stored it, which may be gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from msgspec import Struct
from sqlalchemy import LargeBinary, Row, Select, and_, delete, func, insert, literal, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import devices, segments, stored_objects

#: Ids in one IN list; SQLite takes 32,766 parameters at most.
_LIST_ROWS = 1000

_PAGE_ROWS = 10_000

#: Columns that an object does not have yet when it is stored.
_LATER = ("parts", "is_damaged", "damaged_ranges", "looked_at", "read_at")


class StoredObject(Struct, frozen=True, kw_only=True):
    """A line of the index: an object on a device."""

    object_id: str
    segment_id: str
    device_id: str
    #: Its name; "" for a device that the catalog does not know.
    device: str
    #: Whose index brings the line to the devices.
    snapshot_id: str
    #: Of the object's own stream, which consists of :attr:`ranges` of the segment's.
    size_bytes: int
    bytes_stored: int
    #: The digest in its trailer: proves that a file on a device is this object.
    trailer_digest: bytes
    #: The ranges, of an object that holds a part of its segment: what a repack has kept, or healing brought back.
    parts: tuple[tuple[int, int], ...] | None = None
    #: Whether it was found missing or damaged when somebody looked last.
    is_damaged: bool = False
    #: Of a damaged one: what of its segment it does not have any more; None: nothing is known to be left.
    damaged_ranges: tuple[tuple[int, int], ...] | None = None
    #: When a check last looked at its structure, and when it read every byte; None: never.
    looked_at: datetime | None = None
    read_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Names it among all: a copy has the same id on another device."""
        return self.object_id, self.device_id

    @property
    def is_whole(self) -> bool:
        """Whether it holds all of its segment."""
        return self.parts is None

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """What its stream consists of, in order: (offset, size) in the segment's stream, ascending and apart."""
        if self.parts is not None:
            return self.parts
        return ((0, self.size_bytes),) if self.size_bytes else ()

    @property
    def proof(self) -> str:
        """The digest as orders have it."""
        return self.trailer_digest.hex()


class Objects:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: StoredObject) -> None:
        """Record an object; one that is there already, on the same device, is replaced."""
        with self._database.transaction():
            self.remove(row.object_id, row.device_id)
            self._database.write(insert(stored_objects).values(_values(row)))

    def add_new(self, rows: Iterable[StoredObject]) -> int:
        """Record objects, without those that are known; returns how many were not."""
        added_count, pending = 0, iter(rows)
        with self._database.transaction():
            while page := list(islice(pending, _LIST_ROWS)):
                new = {row.key: row for row in page}
                ids = [row.object_id for row in page]
                there = select(stored_objects.c.object_id, stored_objects.c.device_id)
                for known in self._database.read(there.where(stored_objects.c.object_id.in_(ids))):
                    new.pop((known.object_id, known.device_id), None)
                if new:
                    self._database.write(insert(stored_objects), [_values(row) for row in new.values()])
                added_count += len(new)
        return added_count

    def add_stored(self, snapshot_id: str, number: int, object_id: str, trailer_digest: bytes) -> None:
        """Record the object of a segment of which the receipt has just been recorded; it replaces earlier tries."""
        key = self._database.snapshot_key(snapshot_id)
        segment = select(
            literal(object_id),
            segments.c.device_id,
            segments.c.segment_id,
            literal(snapshot_id),
            segments.c.size_bytes - segments.c.unchanged_bytes,
            segments.c.bytes_stored,
            literal(trailer_digest, LargeBinary),
        ).where(segments.c.snapshot_key == key, segments.c.number == number)
        columns = [column.name for column in stored_objects.c if column.name not in _LATER]
        of_segment = select(segments.c.segment_id).where(segments.c.snapshot_key == key, segments.c.number == number)
        with self._database.transaction():
            self._database.write(
                delete(stored_objects).where(stored_objects.c.segment_id == of_segment.scalar_subquery())
            )
            self._database.write(insert(stored_objects).from_select(columns, segment))

    def unknown(self, segment_ids: Iterable[str]) -> set[str]:
        """Those of the segments of which the index has no object at all, not even a lost one."""
        found, pending = set[str](), iter(segment_ids)
        while page := list(islice(pending, _LIST_ROWS)):
            rows = self._database.read(
                select(stored_objects.c.segment_id).where(stored_objects.c.segment_id.in_(page)).distinct()
            )
            found |= set(page) - {row.segment_id for row in rows}
        return found

    def remove(self, object_id: str, device_id: str) -> bool:
        """No device has it there any more, or nobody needs it."""
        return self._database.write(delete(stored_objects).where(_is(object_id, device_id))) == 1

    def mark(
        self,
        object_id: str,
        device_id: str,
        *,
        is_damaged: bool,
        ranges: tuple[tuple[int, int], ...] | None = None,
    ) -> None:
        """Record what was found when somebody looked: ``ranges`` as in :attr:`StoredObject.damaged_ranges`."""
        statement = update(stored_objects).where(_is(object_id, device_id))
        self._database.write(statement.values(is_damaged=is_damaged, damaged_ranges=ranges))

    def record_look(self, device_id: str, object_ids: Iterable[str], at: datetime, *, read_data: bool) -> None:
        """A check has looked at these objects on a device, and read every byte of them with ``read_data``."""
        ids = list(object_ids)
        values = {"looked_at": at, **({"read_at": at} if read_data else {})}
        of_device = update(stored_objects).where(stored_objects.c.device_id == device_id)
        with self._database.transaction():
            for start in range(0, len(ids), _LIST_ROWS):
                page = ids[start : start + _LIST_ROWS]
                self._database.write(of_device.where(stored_objects.c.object_id.in_(page)).values(**values))

    def of(self, segment_ids: Iterable[str]) -> dict[str, list[StoredObject]]:
        """Segment → its objects on all devices, those without damage first; without the segments that have none."""
        found: defaultdict[str, list[StoredObject]] = defaultdict(list)
        pending = iter(segment_ids)
        while page := list(islice(pending, _LIST_ROWS)):
            for row in self._database.read(_all().where(stored_objects.c.segment_id.in_(page))):
                found[row.segment_id].append(_stored_object(row))
        return {key: sorted(rows, key=_rank) if len(rows) > 1 else rows for key, rows in found.items()}

    def segments_in_several(self) -> list[str]:
        """The segments that have more than one object, copies aside."""
        of_segment = select(stored_objects.c.segment_id).group_by(stored_objects.c.segment_id)
        several = func.count(stored_objects.c.object_id.distinct()) > 1
        return [row.segment_id for row in self._database.read(of_segment.having(several))]

    def segments_of(self, object_ids: Iterable[str]) -> dict[str, str]:
        """Object → its segment, of those that are in the index."""
        rows = self._database.read(
            select(stored_objects.c.object_id, stored_objects.c.segment_id).where(
                stored_objects.c.object_id.in_(list(object_ids))
            )
        )
        return {row.object_id: row.segment_id for row in rows}

    def indexed_by(self, snapshot_id: str) -> list[StoredObject]:
        """The objects whose lines the index of a snapshot has brought to the devices."""
        rows = self._database.read(_all().where(stored_objects.c.snapshot_id == snapshot_id))
        return [_stored_object(row) for row in rows]

    def copies_of(self, row: StoredObject) -> list[StoredObject]:
        """The same object on other devices, without those that were found damaged."""
        objects = self.of([row.segment_id]).get(row.segment_id, [])
        return [
            one
            for one in objects
            if one.object_id == row.object_id and one.device_id != row.device_id and not one.is_damaged
        ]

    def damaged(self) -> list[StoredObject]:
        """The objects on all devices that were found missing or damaged when somebody looked last."""
        return [_stored_object(row) for row in self._database.read(_all().where(stored_objects.c.is_damaged))]

    def bytes_on(self, device_id: str) -> int:
        """What all objects on a device take there."""
        sums = select(func.sum(stored_objects.c.bytes_stored)).where(stored_objects.c.device_id == device_id)
        return int(self._database.read(sums)[0][0] or 0)

    def on_device(self, device_id: str) -> Iterator[StoredObject]:
        """All objects on a device, in order of their ids, page by page."""
        last = ""
        while True:
            of_device = and_(stored_objects.c.device_id == device_id, stored_objects.c.object_id > last)
            rows = self._database.read(_all().where(of_device).limit(_PAGE_ROWS))
            yield from map(_stored_object, rows)
            if len(rows) < _PAGE_ROWS:
                return
            last = rows[-1].object_id


def _values(row: StoredObject) -> dict[str, Any]:
    return {
        "object_id": row.object_id,
        "device_id": row.device_id,
        "segment_id": row.segment_id,
        "snapshot_id": row.snapshot_id,
        "size_bytes": row.size_bytes,
        "bytes_stored": row.bytes_stored,
        "trailer_digest": row.trailer_digest,
        "parts": row.parts,
        "is_damaged": row.is_damaged,
        "damaged_ranges": row.damaged_ranges,
        "looked_at": row.looked_at,
        "read_at": row.read_at,
    }


def _is(object_id: str, device_id: str) -> Any:
    return and_(stored_objects.c.object_id == object_id, stored_objects.c.device_id == device_id)


def _all() -> Select[Any]:
    columns = (*stored_objects.c, func.coalesce(devices.c.name, "").label("device"))
    joined = stored_objects.outerjoin(devices, devices.c.device_id == stored_objects.c.device_id)
    return select(*columns).select_from(joined).order_by(stored_objects.c.object_id)


def _rank(row: StoredObject) -> tuple[bool, int, str]:
    return row.is_damaged, -row.size_bytes, row.object_id


def _stored_object(row: Row[Any]) -> StoredObject:
    values = row._asdict()
    for name in ("parts", "damaged_ranges"):
        values[name] = None if values[name] is None else tuple((offset, size) for offset, size in values[name])
    return StoredObject(**values)
