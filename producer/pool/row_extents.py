"""The extents of a segment of an open snapshot, and which of them lie in earlier segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.entry import EntryBatch
from producer.listing.extents import extents_by_batch
from producer.listing.places.places import Place
from producer.listing.places.stored_cells import indexes_in


class RowExtent(NamedTuple):
    """An extent of the file at ``place`` in the batch.  ``former``: where it is, if it was found unchanged."""

    batch: EntryBatch
    place: int
    former: Place | None


def extents_of_row(catalog: Catalog, row: SegmentRow) -> Iterator[RowExtent]:
    """In the order of the segment."""
    snapshot, reader = catalog.snapshots.get(row.snapshot_id), catalog.listing.reader(row.snapshot_id)
    unchanged, index = frozenset(indexes_in(row.unchanged)), 0
    for found in extents_by_batch(
        reader.batches(row.first_entry, row.stop_entry),
        first_entry=row.first_entry,
        stop_entry=row.stop_entry,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
        bundle_limit_bytes=snapshot.bundle_limit_bytes,
    ):
        for at, place in enumerate(found.places):
            yield RowExtent(found.batch, place, found.former[at] if index in unchanged else None)
            index += 1
