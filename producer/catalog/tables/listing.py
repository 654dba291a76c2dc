"""What the walk found for an open snapshot, in the parts that it wrote.  At the seal tree parts replace them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Row, delete, insert, select

from producer.catalog.database.database import Database
from producer.catalog.schema import listing_parts, snapshots
from producer.listing.entry import EntryBatch
from producer.listing.parts import decode_part
from producer.listing.reader import ListingReader
from tasks.errors import CatalogError

_COLUMNS = [column for column in listing_parts.c if column.name != "snapshot_key"]


class ListingPartRow(Struct, frozen=True, kw_only=True):
    """One immutable part of a listing; it covers ``entries_count`` entries from index ``first_entry``."""

    number: int
    first_entry: int
    entries_count: int
    data: bytes


class Listing:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add_part(self, snapshot_id: str, number: int, first_entry: int, entries_count: int, data: bytes) -> None:
        """Record part ``number`` (from 0, without gaps); it covers the entries from index ``first_entry``."""
        values = {"number": number, "first_entry": first_entry, "entries_count": entries_count, "data": data}
        key = self._database.snapshot_key(snapshot_id)
        self._database.write(insert(listing_parts).values(snapshot_key=key, **values))

    def replace(self, snapshot_id: str, parts: Iterable[ListingPartRow]) -> None:
        """Replace the listing by a new one."""
        key = self._database.snapshot_key(snapshot_id)
        with self._database.transaction():
            self._database.write(delete(listing_parts).where(listing_parts.c.snapshot_key == key))
            for part in parts:
                self._database.write(insert(listing_parts).values(snapshot_key=key, **asdict(part)))

    def reader(self, snapshot_id: str) -> ListingReader:
        """Random access to a snapshot's entries; only the parts in use are in memory."""
        return ListingReader(
            self.first_entries(snapshot_id), lambda number: decode_part(self.part(snapshot_id, number).data)
        )

    def batches(self, snapshot_id: str) -> Iterator[EntryBatch]:
        """All batches in entry order; one part is in memory at a time."""
        for number in range(len(self.first_entries(snapshot_id))):
            yield from decode_part(self.part(snapshot_id, number).data)

    def ranges(self, snapshot_id: str) -> list[tuple[int, int]]:
        """The entries [first, stop) of each part."""
        columns = listing_parts.c.first_entry, listing_parts.c.entries_count
        rows = self._database.read(select(*columns).where(self._of(snapshot_id)).order_by(listing_parts.c.number))
        return [(row.first_entry, row.first_entry + row.entries_count) for row in rows]

    def clear_sealed(self) -> None:
        """Delete the listings of snapshots that are no longer open: the trees have all that is in sealed ones."""
        ended = select(snapshots.c.snapshot_key).where(snapshots.c.state != "open")
        self._database.write(delete(listing_parts).where(listing_parts.c.snapshot_key.in_(ended)))

    def first_entries(self, snapshot_id: str) -> list[int]:
        """The first entry index of each part, in order of their numbers."""
        statement = select(listing_parts.c.first_entry).where(self._of(snapshot_id))
        return [row.first_entry for row in self._database.read(statement.order_by(listing_parts.c.number))]

    def part(self, snapshot_id: str, number: int) -> ListingPartRow:
        """Part ``number``; raises CatalogError when there is none."""
        statement = select(*_COLUMNS).where(self._of(snapshot_id), listing_parts.c.number == number)
        row = self._database.read_one(statement)
        if row is None:
            raise CatalogError(f"the listing of snapshot {snapshot_id} has no part {number}")
        return _part(row)

    def parts(self, snapshot_id: str) -> Iterator[ListingPartRow]:
        """All parts in order.  One is in memory at a time: a part may have some MiB."""
        statement, number = select(*_COLUMNS).where(self._of(snapshot_id)), 0
        while (row := self._database.read_one(statement.where(listing_parts.c.number == number))) is not None:
            yield _part(row)
            number += 1

    def _of(self, snapshot_id: str) -> ColumnElement[bool]:
        return listing_parts.c.snapshot_key == self._database.snapshot_key(snapshot_id)


def _part(row: Row[Any]) -> ListingPartRow:
    return ListingPartRow(**row._asdict())
