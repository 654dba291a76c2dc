"""What the devices hold of a raw volume from earlier backups, cell by cell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from producer.catalog.catalog import Catalog
from producer.catalog.holders import ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import NewReference, SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.places.places import Place
from producer.listing.places.stored_cells import StoredCells, cells_in
from producer.listing.places.stored_ranges import without
from tasks.digests import CELL_BYTES, cells_of, range_digest, split_digests


class KnownCell(NamedTuple):
    """A cell that a stored segment holds: its digest, an object of the segment, and where the cell is in its stream."""

    digest: bytes
    object: StoredObject
    stream_offset_bytes: int


def known_cells(
    catalog: Catalog, current: SnapshotRow, source: str, device_ids: Collection[str]
) -> dict[int, KnownCell]:
    """Offset in the raw volume → cell, from the parent and from what this snapshot has stored so far.

    Only cells in objects on these devices.  Empty when the parent did not read the source raw.  No other snapshot
    will do: an open snapshot keeps its parent from being forgotten, and no other.
    """
    places = [*_places_of_parent(catalog, current, source), *_places_of_own(catalog, current, source)]
    segment_ids = {place.segment_id for place in places}
    index = {
        key: [one for one in objects if one.device_id in device_ids and not one.is_damaged]
        for key, objects in catalog.objects.of(segment_ids).items()
    }
    cells = dict(_stored_cells(catalog, segment_ids))
    # A later place of the same bytes counts: it is this snapshot's own.
    return {
        offset_bytes: cell
        for place in places
        for offset_bytes, cell in _cells_at(place, index.get(place.segment_id, ()), cells.get(place.segment_id, {}))
    }


def _places_of_parent(catalog: Catalog, current: SnapshotRow, source: str) -> Iterator[Place]:
    if not current.parent_id:
        return
    parent = catalog.snapshots.get(current.parent_id)
    if not any(other.name == source and other.mode == "raw" for other in parent.sources):
        return
    for batch in catalog.trees.of(parent.snapshot_id).batches():
        if batch.source == source:
            yield from batch.places_of(0)


def _places_of_own(catalog: Catalog, current: SnapshotRow, source: str) -> Iterator[Place]:
    """Of what the snapshot, which is open, has stored so far of the source."""
    reader = catalog.listing.reader(current.snapshot_id)
    of_source: dict[int, bool] = {}
    for row in catalog.segments.pieces(current.snapshot_id):
        if row.first_entry not in of_source:
            of_source[row.first_entry] = reader.entry(row.first_entry).source == source
        if of_source[row.first_entry]:
            yield Place(row.segment_id, row.stream_offset_bytes, row.offset_bytes, row.size_bytes)


def _stored_cells(catalog: Catalog, segment_ids: Collection[str]) -> Iterator[tuple[str, StoredCells]]:
    """Segment → its cells, from the receipts of this catalog; what it was rebuilt from says so of the others."""
    rows = catalog.segments.by_ids(segment_ids)
    yield from ((key, _cells_of_receipt(catalog, row)) for key, row in rows.items())
    rebuilt = catalog.cells.columns(key for key in segment_ids if key not in rows)
    yield from ((key, cells_in(columns)) for key, columns in rebuilt)


def _cells_of_receipt(catalog: Catalog, row: SegmentRow) -> StoredCells:
    """Bad blocks among them: what was stored in their place is known too."""
    digests = row.cell_digests or catalog.segments.extent_digests(row.snapshot_id, [row.number]).get(row.number, b"")
    cells = zip(split_digests(digests), cells_of(row.offset_bytes, row.size_bytes), strict=False)
    return {offset_bytes - row.offset_bytes: (size_bytes, digest) for digest, (offset_bytes, size_bytes) in cells}


def _cells_at(place: Place, there: Sequence[StoredObject], cells: StoredCells) -> Iterator[tuple[int, KnownCell]]:
    """The whole cells that the place refers to, if all of it is there."""
    if not there or without([(place.stream_offset_bytes, place.size_bytes)], ranges_of(there)):
        return
    for offset_bytes, size_bytes in cells_of(place.offset_bytes, place.size_bytes):
        at_bytes = place.stream_offset_bytes + offset_bytes - place.offset_bytes
        stored_bytes, digest = cells.get(at_bytes, (0, b""))
        if offset_bytes % CELL_BYTES == 0 and stored_bytes == size_bytes:
            yield offset_bytes, KnownCell(digest, there[0], at_bytes)


class Reuse(NamedTuple):
    """[start, start + size) of a raw volume equals a known cell."""

    start: int
    size_bytes: int
    cell: KnownCell


def references(reused: list[Reuse], entry: int) -> Iterator[NewReference]:
    """As few rows as possible for the cells, which ascend; the caller sets ``number`` and ``segment_id``."""
    run: list[Reuse] = []
    for item in reused:
        if run and not _continues(run[-1], item):
            yield _reference(run, entry)
            run = []
        run.append(item)
    if run:
        yield _reference(run, entry)


def _continues(before: Reuse, item: Reuse) -> bool:
    return (
        before.start + before.size_bytes == item.start
        and before.cell.object.segment_id == item.cell.object.segment_id
        and before.cell.stream_offset_bytes + before.size_bytes == item.cell.stream_offset_bytes
    )


def _reference(run: list[Reuse], entry: int) -> NewReference:
    first = run[0]
    stored = first.cell.object
    digests = b"".join(item.cell.digest for item in run)
    return NewReference(
        number=0,
        segment_id="",
        stored_as=stored.segment_id,
        device=stored.device,
        device_id=stored.device_id,
        entry=entry,
        offset_bytes=first.start,
        size_bytes=sum(item.size_bytes for item in run),
        stream_offset_bytes=first.cell.stream_offset_bytes,
        bytes_stored=stored.bytes_stored,
        extent_digests=range_digest(digests),
        cell_digests=digests if len(run) > 1 else b"",
    )
