"""Segments as the plan makes them, and as the feed, the manifest and a restore read them.

:mod:`producer.catalog.transitions` has what changes a segment's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from producer.catalog.database import Database
from producer.catalog.rows import NewSegment, SegmentRow, SegmentTotals
from producer.catalog.schema import segments, snapshots

#: Rows of one page of an iterator: some 10 MB of Python values.
_PAGE_ROWS = 10_000

#: Numbers in one IN list; SQLite takes 32,766 parameters at most.
_LIST_ROWS = 1000

_SEGMENT_COLUMNS = [
    snapshots.c.snapshot_id,
    *(column for column in segments.c if column.name != "snapshot_key"),
]


class Segments(Database):
    def add_segments(self, snapshot_id: str, rows: Iterable[NewSegment]) -> None:
        """Record planned segments, all or none; 100,000 of them in about a second."""
        key = self._key(snapshot_id)
        self._insert_many(segments, ("snapshot_key", *NewSegment._fields), ((key, *row) for row in rows))

    def take_planned(self, snapshot_id: str, device: str, limit: int) -> list[SegmentRow]:
        """The next ``limit`` segments to be fed to a device, in plan order; changes nothing (see mark_fed)."""
        return self._segment_rows(
            self._segments_of(snapshot_id)
            .where(segments.c.device == device, segments.c.state == "planned")
            .order_by(segments.c.number)
            .limit(limit)
        )

    def planned_sizes(self, snapshot_id: str, device: str) -> list[tuple[int, int]]:
        """(number, size in bytes) of the segments that wait to be fed to a device, in plan order."""
        statement = select(segments.c.number, segments.c.size_bytes).where(
            segments.c.snapshot_key == self._key(snapshot_id),
            segments.c.device == device,
            segments.c.state == "planned",
        )
        return [(row.number, row.size_bytes) for row in self._read(statement.order_by(segments.c.number))]

    def segments_by_number(self, snapshot_id: str, numbers: Sequence[int]) -> list[SegmentRow]:
        """The segments of these numbers, in plan order."""
        found: list[SegmentRow] = []
        for start in range(0, len(numbers), _LIST_ROWS):
            page = sorted(numbers[start : start + _LIST_ROWS])
            found += self._segment_rows(self._segments_of(snapshot_id).where(segments.c.number.in_(page)))
        return sorted(found, key=lambda row: row.number)

    def fed_segments(self, snapshot_id: str) -> list[SegmentRow]:
        """The segments that are on their way: in a queue, at a worker, or lost."""
        statement = self._segments_of(snapshot_id).where(segments.c.state == "fed")
        return self._segment_rows(statement.order_by(segments.c.number))

    def unfinished_segments(self, snapshot_id: str, device: str) -> list[SegmentRow]:
        """The segments assigned to a device that it has not stored, in plan order."""
        statement = self._segments_of(snapshot_id).where(
            segments.c.device == device, segments.c.state.in_(("planned", "fed", "failed"))
        )
        return self._segment_rows(statement.order_by(segments.c.number))

    def failed_segments(self, snapshot_id: str) -> list[SegmentRow]:
        statement = self._segments_of(snapshot_id).where(segments.c.state == "failed")
        return self._segment_rows(statement.order_by(segments.c.number))

    def find_segment(self, segment_id: str) -> SegmentRow | None:
        """The segment with this id, in whatever snapshot; None for an id that is not ours."""
        rows = self._segment_rows(_all_segments().where(segments.c.segment_id == segment_id))
        return rows[0] if rows else None

    def valid_segments(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """All segments that are not superseded, in plan order, page by page."""
        return self._by_pages(self._segments_of(snapshot_id).where(segments.c.state != "superseded"))

    def stored_segments(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """All stored segments in plan order, read page by page; writing in between is allowed."""
        return self._by_pages(self._segments_of(snapshot_id).where(segments.c.state == "stored"))

    def stored_devices(self, snapshot_id: str) -> list[str]:
        """The ids of the devices that hold segments of the snapshot."""
        statement = select(segments.c.device_id).distinct().where(segments.c.state == "stored")
        rows = self._read(statement.where(segments.c.snapshot_key == self._key(snapshot_id)))
        return sorted(row.device_id for row in rows)

    def segments_overlapping(self, snapshot_id: str, first_entry: int, stop_entry: int) -> Iterator[SegmentRow]:
        """The stored segments that may hold data of entries in [first_entry, stop_entry), in plan order."""
        return self._by_pages(
            self._segments_of(snapshot_id).where(
                segments.c.state == "stored",
                segments.c.first_entry < stop_entry,
                segments.c.stop_entry > first_entry,
            )
        )

    def totals(self, snapshot_id: str) -> list[SegmentTotals]:
        """The sums for each device and state; reads every segment of the snapshot once (100,000: some 0.1 s)."""
        statement = (
            select(
                segments.c.device,
                segments.c.state,
                func.count().label("segments_count"),
                func.sum(segments.c.size_bytes).label("bytes_source"),
                func.sum(segments.c.bytes_stored).label("bytes_stored"),
                func.count(case((segments.c.rerouted_count > 0, 1))).label("rerouted_count"),
                func.count(case((segments.c.attempt > 1, 1))).label("retried_count"),
            )
            .where(segments.c.snapshot_key == self._key(snapshot_id))
            .group_by(segments.c.device, segments.c.state)
            .order_by(segments.c.device, segments.c.state)
        )
        return [_totals_row(row) for row in self._read(statement)]

    def _segments_of(self, snapshot_id: str) -> Select[Any]:
        return _all_segments().where(segments.c.snapshot_key == self._key(snapshot_id))

    def _segment_rows(self, statement: Select[Any]) -> list[SegmentRow]:
        return [_segment_row(row) for row in self._read(statement)]

    def _by_pages(self, statement: Select[Any]) -> Iterator[SegmentRow]:
        """The rows in plan order.  No cursor stays open between pages, so nothing is blocked meanwhile."""
        ordered = statement.order_by(segments.c.number).limit(_PAGE_ROWS)
        page = self._segment_rows(ordered)
        while page:
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            page = self._segment_rows(ordered.where(segments.c.number > page[-1].number))


def _all_segments() -> Select[Any]:
    return select(*_SEGMENT_COLUMNS).join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)


def _segment_row(row: Row[Any]) -> SegmentRow:
    values = row._asdict()
    values["notes"] = values["notes"] or []
    return SegmentRow(**values)


def _totals_row(row: Row[Any]) -> SegmentTotals:
    values = row._asdict()
    # PostgreSQL sums whole numbers as decimals.
    values["bytes_source"], values["bytes_stored"] = int(row.bytes_source), int(row.bytes_stored)
    return SegmentTotals(**values)
