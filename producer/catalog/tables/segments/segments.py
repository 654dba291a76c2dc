"""Segments as the plan makes them, and as the feed, the manifest and a restore read them.

:mod:`producer.catalog.tables.segments.transitions` has what changes a segment's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from producer.catalog.database.database import Database
from producer.catalog.schema import segments, snapshots
from producer.catalog.tables.segments.rows import NewHealing, NewSegment, SegmentRow

#: Rows of one page of an iterator: some 10 MB of Python values.
_PAGE_ROWS = 10_000

#: Numbers in one IN list; SQLite takes 32,766 parameters at most.
_LIST_ROWS = 1000

_SEGMENT_COLUMNS = [
    snapshots.c.snapshot_id,
    *(column for column in segments.c if column.name not in ("snapshot_key", "extent_digests", "layout")),
]


#: What has a receipt.
_SETTLED = ("stored", "unchanged")

#: Rows that stand for files of their snapshot: those that heal store for others.
_OF_FILES = segments.c.stored_as.is_(None)


class Segments:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, snapshot_id: str, rows: Iterable[NewSegment]) -> None:
        """Record planned segments, all or none; 100,000 of them in about a second."""
        key = self._database.snapshot_key(snapshot_id)
        self._database.insert_many(segments, ("snapshot_key", *NewSegment._fields), ((key, *row) for row in rows))

    def add_healing(self, snapshot_id: str, rows: Iterable[NewHealing]) -> None:
        """Record segments of earlier snapshots that are to be stored again."""
        key = self._database.snapshot_key(snapshot_id)
        columns = ("snapshot_key", *NewHealing._fields[:-2], "offset_bytes", *NewHealing._fields[-2:])
        self._database.insert_many(segments, columns, ((key, *row[:-2], 0, *row[-2:]) for row in rows))

    def take_planned(self, snapshot_id: str, device: str, limit: int) -> list[SegmentRow]:
        """The next ``limit`` segments to be fed to a device, in plan order; changes nothing (see mark_fed)."""
        return self._rows(
            self._of(snapshot_id)
            .where(segments.c.device == device, segments.c.state == "planned")
            .order_by(segments.c.number)
            .limit(limit)
        )

    def planned_sizes(self, snapshot_id: str, device: str) -> list[tuple[int, int]]:
        """(number, size in bytes) of the segments that wait to be fed to a device, in plan order."""
        statement = select(segments.c.number, segments.c.size_bytes).where(
            self._within(snapshot_id),
            segments.c.device == device,
            segments.c.state == "planned",
        )
        return [(row.number, row.size_bytes) for row in self._database.read(statement.order_by(segments.c.number))]

    def by_number(self, snapshot_id: str, numbers: Sequence[int]) -> list[SegmentRow]:
        """The segments of these numbers, in plan order."""
        found: list[SegmentRow] = []
        for start in range(0, len(numbers), _LIST_ROWS):
            page = sorted(numbers[start : start + _LIST_ROWS])
            found += self._rows(self._of(snapshot_id).where(segments.c.number.in_(page)))
        return sorted(found, key=lambda row: row.number)

    def unfinished(self, snapshot_id: str, device: str) -> list[SegmentRow]:
        """The segments assigned to a device that it has not stored, in plan order."""
        statement = self._of(snapshot_id).where(
            segments.c.device == device, segments.c.state.in_(("planned", "fed", "failed"))
        )
        return self._rows(statement.order_by(segments.c.number))

    def failed(self, snapshot_id: str) -> list[SegmentRow]:
        statement = self._of(snapshot_id).where(segments.c.state == "failed")
        return self._rows(statement.order_by(segments.c.number))

    def valid(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """All segments that are not superseded, in plan order, page by page."""
        return self._by_pages(self._of(snapshot_id).where(_OF_FILES, segments.c.state != "superseded"))

    def stored(self, snapshot_id: str, *, device_id: str = "") -> Iterator[SegmentRow]:
        """All stored segments (of one device) in plan order.

        They are read page by page; writing in between is allowed.
        """
        return self._by_pages(self._of(snapshot_id).where(*_on_devices(device_id)))

    def settled(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """As :meth:`stored`, and the segments that were read and found unchanged."""
        return self._by_pages(self._of(snapshot_id).where(_OF_FILES, segments.c.state.in_(_SETTLED)))

    def partly_unchanged(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """The segments of which some extents, or all, were found unchanged, in plan order."""
        is_partly = (_OF_FILES, segments.c.state.in_(_SETTLED), segments.c.unchanged_bytes > 0)
        return self._by_pages(self._of(snapshot_id).where(*is_partly))

    def omitted(self, snapshot_id: str) -> list[SegmentRow]:
        """What the snapshot was sealed without, in plan order."""
        statement = self._of(snapshot_id).where(segments.c.state == "omitted")
        return self._rows(statement.order_by(segments.c.number))

    def by_entries(self, snapshot_id: str) -> list[SegmentRow]:
        """All segments that are not superseded, in order of their first entries."""
        statement = self._of(snapshot_id).where(_OF_FILES, segments.c.state != "superseded")
        return self._rows(statement.order_by(segments.c.first_entry, segments.c.offset_bytes))

    def device_ids(self, snapshot_id: str) -> list[str]:
        """The ids of the devices that hold segments of the snapshot."""
        statement = select(segments.c.device_id).distinct().where(segments.c.state == "stored")
        rows = self._database.read(statement.where(self._within(snapshot_id)))
        return sorted(row.device_id for row in rows)

    def next_number(self, snapshot_id: str) -> int:
        """A number that no segment of the snapshot has had."""
        statement = select(func.max(segments.c.number)).where(self._within(snapshot_id))
        highest = self._database.read(statement)[0][0]
        return 0 if highest is None else int(highest) + 1

    def _of(self, snapshot_id: str) -> Select[Any]:
        of_all = select(*_SEGMENT_COLUMNS).join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
        return of_all.where(self._within(snapshot_id))

    def _within(self, snapshot_id: str) -> ColumnElement[bool]:
        return segments.c.snapshot_key == self._database.snapshot_key(snapshot_id)

    def _rows(self, statement: Select[Any]) -> list[SegmentRow]:
        return [_segment_row(row) for row in self._database.read(statement)]

    def _by_pages(self, statement: Select[Any]) -> Iterator[SegmentRow]:
        """The rows in plan order.  No cursor stays open between pages, so nothing is blocked meanwhile."""
        ordered = statement.order_by(segments.c.number).limit(_PAGE_ROWS)
        page = self._rows(ordered)
        while page:
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            page = self._rows(ordered.where(segments.c.number > page[-1].number))


def _on_devices(device_id: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [_OF_FILES, segments.c.state == "stored"]
    return [*found, segments.c.device_id == device_id] if device_id else found


def _segment_row(row: Row[Any]) -> SegmentRow:
    values = row._asdict()
    values["notes"] = values["notes"] or []
    values["unchanged"] = values["unchanged"] or ()
    stored_as = values.pop("stored_as")
    values["heals"] = stored_as is not None
    values["row_id"] = row.segment_id
    values["segment_id"] = stored_as or row.segment_id
    return SegmentRow(**values)
