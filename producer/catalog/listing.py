"""The parts of a snapshot's listing, kept as the walk wrote them: the catalog does not look inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, insert, select

from producer.catalog.database import Database
from producer.catalog.rows import ListingPartRow
from producer.catalog.schema import listing_parts
from tasks.errors import CatalogError

_COLUMNS = [column for column in listing_parts.c if column.name != "snapshot_key"]


class Listing(Database):
    def add_listing_part(
        self, snapshot_id: str, number: int, first_entry: int, entries_count: int, data: bytes
    ) -> None:
        """Record part ``number`` (from 0, without gaps); it covers the entries from index ``first_entry``."""
        values = {"number": number, "first_entry": first_entry, "entries_count": entries_count, "data": data}
        self._write(insert(listing_parts).values(snapshot_key=self._key(snapshot_id), **values))

    def listing_part_covering(self, snapshot_id: str, entry_index: int) -> ListingPartRow | None:
        """The part that holds the entry; None for an index past the end."""
        statement = (
            select(*_COLUMNS)
            .where(listing_parts.c.snapshot_key == self._key(snapshot_id), listing_parts.c.first_entry <= entry_index)
            .order_by(listing_parts.c.first_entry.desc())
            .limit(1)
        )
        row = self._read_one(statement)
        if row is None or entry_index >= row.first_entry + row.entries_count:
            return None
        return _part(row)

    def listing_first_entries(self, snapshot_id: str) -> list[int]:
        """The first entry index of each part, in order of their numbers."""
        statement = select(listing_parts.c.first_entry).where(listing_parts.c.snapshot_key == self._key(snapshot_id))
        return [row.first_entry for row in self._read(statement.order_by(listing_parts.c.number))]

    def listing_part(self, snapshot_id: str, number: int) -> ListingPartRow:
        """Part ``number``; raises CatalogError when there is none."""
        row = self._read_one(
            select(*_COLUMNS).where(
                listing_parts.c.snapshot_key == self._key(snapshot_id), listing_parts.c.number == number
            )
        )
        if row is None:
            raise CatalogError(f"the listing of snapshot {snapshot_id} has no part {number}")
        return _part(row)

    def listing_parts(self, snapshot_id: str) -> Iterator[ListingPartRow]:
        """All parts in order.  One is in memory at a time: a part may have some MiB."""
        key, number = self._key(snapshot_id), 0
        statement = select(*_COLUMNS).where(listing_parts.c.snapshot_key == key)
        while (row := self._read_one(statement.where(listing_parts.c.number == number))) is not None:
            yield _part(row)
            number += 1


def _part(row: Row[Any]) -> ListingPartRow:
    return ListingPartRow(**row._asdict())
