"""The lines of an index, out of the catalog: which object holds what, and the digests of what its segment holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_cells import CellColumns
from producer.manifest import IndexRow

#: Rows whose digests are in memory at once.
_PAGE_ROWS = 64


def index_lines(catalog: Catalog, rows: Iterable[StoredObject], device_index: Mapping[str, int]) -> Iterator[IndexRow]:
    """The rows in their order; the first one of each segment has the digests of the segment's cells."""
    pending, told = iter(rows), set[str]()
    while page := list(islice(pending, _PAGE_ROWS)):
        cells = dict(catalog.cells.columns({row.segment_id for row in page} - told))
        told |= cells.keys()
        for row in page:
            yield _line(row, device_index[row.device_id], cells.pop(row.segment_id, None))


def _line(row: StoredObject, device: int, cells: CellColumns | None) -> IndexRow:
    return IndexRow(
        object_id=row.object_id,
        segment_id=row.segment_id,
        device=device,
        size_bytes=row.size_bytes,
        bytes_stored=row.bytes_stored,
        trailer_digest=row.proof,
        ranges=row.parts or (),
        cells=cells,
    )
