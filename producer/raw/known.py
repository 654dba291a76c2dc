"""What the devices hold of a raw volume from earlier backups, cell by cell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from producer.catalog.catalog import Catalog
from producer.catalog.sound import held
from producer.catalog.tables.segments.rows import NewReference, SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.trees import Tree
from producer.listing.places import Place
from tasks.digests import CELL_BYTES, cells_of, range_digest, split_digests


class KnownCell(NamedTuple):
    """A cell that a stored segment holds: its digest, and where in the segment's stream it begins."""

    digest: bytes
    segment: SegmentRow
    stream_offset_bytes: int


def known_cells(
    catalog: Catalog, current: SnapshotRow, source: str, device_ids: Collection[str]
) -> dict[int, KnownCell]:
    """Offset in the raw volume → cell, from the parent and from what this snapshot has stored so far.

    Only cells in segments on these devices.  Empty when the parent did not read the source raw.  No other snapshot
    will do: an open snapshot keeps its parent from being forgotten, and no other.
    """
    found: dict[int, KnownCell] = {}
    if _read_raw(catalog, current, source):
        found |= _cells_of_tree(catalog.trees.of(current.parent_id), catalog, source, device_ids)
    for row in _rows_of_source(catalog, current, source):
        if row.device_id in device_ids:
            found.update(_cells(catalog, row))
    return found


def _read_raw(catalog: Catalog, current: SnapshotRow, source: str) -> bool:
    """Whether the parent has the source, read raw."""
    if not current.parent_id:
        return False
    parent = catalog.snapshots.get(current.parent_id)
    return any(other.name == source and other.mode == "raw" for other in parent.sources)


def _cells_of_tree(
    tree: Tree, catalog: Catalog, source: str, device_ids: Collection[str]
) -> Iterator[tuple[int, KnownCell]]:
    for batch in tree.batches():
        if batch.source == source:
            places = list(batch.places_of(0))
            segment_ids = {place.segment_id for place in places}
            rows, still = catalog.segments.by_ids(segment_ids), held(catalog, segment_ids)
            cells = {key: dict(_cells(catalog, row)) for key, row in rows.items() if row.device_id in device_ids}
            for place in filter(still.has, places):
                yield from _cells_in(place, cells.get(place.segment_id, {}))


def _cells_in(place: Place, cells: Mapping[int, KnownCell]) -> Iterator[tuple[int, KnownCell]]:
    """Those of a segment's cells that the place refers to."""
    for offset_bytes, _ in cells_of(place.offset_bytes, place.size_bytes):
        cell = cells.get(offset_bytes)
        if (
            cell is not None
            and cell.stream_offset_bytes - offset_bytes == place.stream_offset_bytes - place.offset_bytes
        ):
            yield offset_bytes, cell


def _rows_of_source(catalog: Catalog, snapshot: SnapshotRow, source: str) -> Iterator[SegmentRow]:
    """What the snapshot, which is open, has stored so far of the source."""
    reader = catalog.listing.reader(snapshot.snapshot_id)
    of_source: dict[int, bool] = {}
    for row in catalog.segments.pieces(snapshot.snapshot_id):
        if row.first_entry not in of_source:
            of_source[row.first_entry] = reader.entry(row.first_entry).source == source
        if of_source[row.first_entry]:
            yield row


def _cells(catalog: Catalog, row: SegmentRow) -> Iterator[tuple[int, KnownCell]]:
    """The cells that the row holds from their beginning; one that it does not hold to its end equals no other."""
    digests = row.cell_digests or catalog.segments.extent_digests(row.snapshot_id, [row.number]).get(row.number, b"")
    cells = cells_of(row.offset_bytes, row.size_bytes)
    for digest, (offset_bytes, _) in zip(split_digests(digests), cells, strict=False):
        if offset_bytes % CELL_BYTES == 0:
            yield offset_bytes, KnownCell(digest, row, row.stream_offset_bytes + offset_bytes - row.offset_bytes)


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
        and before.cell.segment.segment_id == item.cell.segment.segment_id
        and before.cell.stream_offset_bytes + before.size_bytes == item.cell.stream_offset_bytes
    )


def _reference(run: list[Reuse], entry: int) -> NewReference:
    first = run[0]
    segment = first.cell.segment
    assert segment.device_id is not None
    digests = b"".join(item.cell.digest for item in run)
    return NewReference(
        number=0,
        segment_id="",
        stored_as=segment.segment_id,
        device=segment.device,
        device_id=segment.device_id,
        entry=entry,
        offset_bytes=first.start,
        size_bytes=sum(item.size_bytes for item in run),
        stream_offset_bytes=first.cell.stream_offset_bytes,
        bytes_stored=segment.bytes_stored,
        extent_digests=range_digest(digests),
        cell_digests=digests if len(run) > 1 else b"",
    )
