"""The digests of what segments hold, cell by cell: what tells whether a file still holds what was stored of it.

They come from the receipts of this catalog's own snapshots; of others a rebuild reads them from the index on the
devices.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Row, select

from producer.catalog.database.database import Database
from producer.catalog.schema import segment_cells, segments
from producer.listing.places.stored_cells import (
    CellColumns,
    StoredCells,
    cells_in,
    columns_of,
    layout_sizes,
    stored_cells,
)

#: Segments read at once: some MB each at most.
_PAGE_ROWS = 64

_OF_RECEIPTS = [segments.c[name] for name in ("segment_id", "layout", "extent_digests", "cell_digests", "unchanged")]


class Cells:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, segment_id: str) -> StoredCells:
        """The cells of a segment of which the digests are known; nothing when there are none."""
        for _, columns in self.columns([segment_id]):
            return cells_in(columns)
        return {}

    def columns(self, segment_ids: Iterable[str]) -> Iterator[tuple[str, CellColumns]]:
        """(segment, its cells), in any order, of those segments of which digests are known."""
        pending = iter(segment_ids)
        while page := list(islice(pending, _PAGE_ROWS)):
            on_device = (segments.c.device_id.is_not(None), segments.c.layout.is_not(None))
            statement = select(*_OF_RECEIPTS, segments.c.notes).where(segments.c.segment_id.in_(page), *on_device)
            found = {row.segment_id: _of_receipt(row) for row in self._database.read(statement)}
            rebuilt = select(*segment_cells.c).where(segment_cells.c.segment_id.in_(set(page) - found.keys()))
            found |= {row.segment_id: _of_rebuild(row) for row in self._database.read(rebuilt)}
            yield from found.items()

    def add_new(self, cells: Mapping[str, CellColumns]) -> None:
        """Record the cells of segments, without those that are known."""
        pending = iter(cells.items())
        with self._database.transaction():
            while page := dict(islice(pending, _PAGE_ROWS)):
                known = select(segment_cells.c.segment_id).where(segment_cells.c.segment_id.in_(page))
                for row in self._database.read(known):
                    del page[row.segment_id]
                rows = ((key, _packed(one.sizes_bytes), one.digests) for key, one in page.items())
                self._database.insert_many(segment_cells, ("segment_id", "sizes", "digests"), rows)


def _of_receipt(row: Row[Any]) -> CellColumns:
    if not (row.cell_digests or row.unchanged or row.notes):
        # Each extent is one cell, as in all bundles: nothing to take apart.
        return CellColumns(layout_sizes(row.layout), row.extent_digests)
    found = stored_cells(
        row.layout,
        extent_digests=row.extent_digests,
        cell_digests=row.cell_digests or b"",
        unchanged=row.unchanged or (),
        # What was stored in the place of bad blocks is certain: zeros.
        noted={note["index"] for note in row.notes or () if note["trouble"] != "bad-blocks"},
    )
    return columns_of(found)


def _of_rebuild(row: Row[Any]) -> CellColumns:
    return CellColumns(msgspec.msgpack.decode(zlib.decompress(row.sizes), type=list[int]), row.digests)


def _packed(sizes_bytes: Iterable[int]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(list(sizes_bytes)), 1)
