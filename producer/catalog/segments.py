"""Segments as the plan makes them, and as the feed, the manifest and a restore read them.

:mod:`producer.catalog.transitions` has what changes a segment's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from producer.catalog.database import Database
from producer.catalog.rows import NewReference, NewSegment, SegmentRow, SegmentTotals
from producer.catalog.schema import segments, snapshots

#: Rows of one page of an iterator: some 10 MB of Python values.
_PAGE_ROWS = 10_000

#: Numbers in one IN list; SQLite takes 32,766 parameters at most.
_LIST_ROWS = 1000

_SEGMENT_COLUMNS = [
    snapshots.c.snapshot_id,
    *(column for column in segments.c if column.name != "snapshot_key"),
]


#: What a restore reads: stored by this snapshot, or by an earlier one.
_ON_DEVICES = ("stored", "referenced")

_REFERENCE_COLUMNS = (
    "snapshot_key",
    "number",
    "segment_id",
    "device",
    "device_id",
    "first_entry",
    "stop_entry",
    "offset_bytes",
    "size_bytes",
    "state",
    "bytes_stored",
    "stored_as",
    "stream_offset_bytes",
    "cell_digests",
)


class Segments(Database):
    def add_segments(self, snapshot_id: str, rows: Iterable[NewSegment]) -> None:
        """Record planned segments, all or none; 100,000 of them in about a second."""
        key = self._key(snapshot_id)
        self._insert_many(segments, ("snapshot_key", *NewSegment._fields), ((key, *row) for row in rows))

    def add_references(self, snapshot_id: str, rows: Iterable[NewReference]) -> None:
        """Record ranges of raw volumes that earlier segments hold; nothing is to be done about them any more."""
        key = self._key(snapshot_id)
        self._insert_many(segments, _REFERENCE_COLUMNS, (_reference_values(key, row) for row in rows))

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
        """All stored segments and references in plan order, read page by page; writing in between is allowed."""
        return self._by_pages(self._segments_of(snapshot_id).where(segments.c.state.in_(_ON_DEVICES)))

    def segments_with_cells(self, snapshot_id: str) -> Iterator[SegmentRow]:
        """The pieces of raw volumes that are on a device, also those that were superseded later, in plan order."""
        statement = self._segments_of(snapshot_id)
        on_device = (segments.c.cell_digests.is_not(None), segments.c.device_id.is_not(None))
        return self._by_pages(statement.where(*on_device))

    def stored_devices(self, snapshot_id: str) -> list[str]:
        """The ids of the devices that hold segments of the snapshot."""
        statement = select(segments.c.device_id).distinct().where(segments.c.state.in_(_ON_DEVICES))
        rows = self._read(statement.where(segments.c.snapshot_key == self._key(snapshot_id)))
        return sorted(row.device_id for row in rows)

    def segments_overlapping(self, snapshot_id: str, first_entry: int, stop_entry: int) -> Iterator[SegmentRow]:
        """The stored segments that may hold data of entries in [first_entry, stop_entry), in plan order."""
        return self._by_pages(
            self._segments_of(snapshot_id).where(
                segments.c.state.in_(_ON_DEVICES),
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
    values["segment_id"] = values.pop("stored_as") or values["segment_id"]
    return SegmentRow(**values)


def _reference_values(key: int, row: NewReference) -> tuple[Any, ...]:
    return (
        key,
        row.number,
        row.segment_id,
        row.device,
        row.device_id,
        row.entry,
        row.entry + 1,
        row.offset_bytes,
        row.size_bytes,
        "referenced",
        row.bytes_stored,
        row.stored_as,
        row.stream_offset_bytes,
        row.cell_digests,
    )


def _totals_row(row: Row[Any]) -> SegmentTotals:
    values = row._asdict()
    # PostgreSQL sums whole numbers as decimals.
    values["bytes_source"], values["bytes_stored"] = int(row.bytes_source), int(row.bytes_stored)
    return SegmentTotals(**values)
