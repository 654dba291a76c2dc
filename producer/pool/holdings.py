"""Which files of a snapshot need certain segments: by name, or counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.holders import Holder, holders_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.catalog.tree import places_in
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place
from producer.listing.places.stored_ranges import without
from producer.pool.parity.group_reads import GroupReads
from producer.pool.row_extents import extents_of_row


class Lacking(Struct, frozen=True, kw_only=True):
    """A segment of earlier snapshots of which only the ranges ``held`` can be read; a device had the rest."""

    segment_id: str
    device_id: str
    device: str
    held: Sequence[tuple[int, int]]


def paths_in(catalog: Catalog, snapshot_id: str, rows: Iterable[SegmentRow | Lacking]) -> dict[int, str]:
    """Entry → path on the source, in listing order: the files of an open snapshot that need one of the segments.

    By all their names.
    """
    rows = list(rows)
    own = [row for row in rows if isinstance(row, SegmentRow)]
    found = {entry: path for row in own for entry, path in _files_in(catalog, row)}
    found |= _files_of_parent(catalog, snapshot_id, [row for row in rows if isinstance(row, Lacking)])
    found |= _hard_links(catalog, snapshot_id, set(found.values())) if found else {}
    snapshot = catalog.snapshots.get(snapshot_id)
    sources = {source.name: source.path for source in snapshot.sources}
    return {entry: _on_source(found[entry], sources) for entry in sorted(found)}


def bytes_in(catalog: Catalog, snapshot_id: str, rows: Iterable[SegmentRow | Lacking]) -> int:
    """How many bytes of the files of an open snapshot lie in these segments."""
    rows = list(rows)
    own_bytes = sum(row.held_bytes for row in rows if isinstance(row, SegmentRow))
    others = [row for row in rows if isinstance(row, Lacking)]
    return own_bytes + sum(place.size_bytes for _, _, place in _borrowed_places(catalog, snapshot_id, others))


def held_by(catalog: Catalog, snapshot_id: str, device_id: str, device: str) -> LackRow | None:
    """What a sealed snapshot lacks without this device, and without those that are lost; None if nothing."""
    tree = catalog.trees.of(snapshot_id)
    others = {row.device_id for row in catalog.devices.all() if row.state != "lost"} - {device_id}
    groups = GroupReads(catalog)
    only_here = {
        segment_id: here
        for segment_id, objects in catalog.objects.of(tree.parts_of_segments).items()
        if (
            here := [
                one
                for one in _holders(objects, others, device_id)
                if one.object.device_id == device_id and not groups.can_read(one.object, others)
            ]
        )
    }
    files: set[int] = set()
    size_bytes = 0
    for batch, at, place in tree.files_in(only_here) if only_here else ():
        for holder in only_here[place.segment_id]:
            for part in holder.parts_of(place.stream_offset_bytes, place.size_bytes):
                files.add(batch.first_entry + at)
                size_bytes += part.size_bytes
    if not files:
        return None
    return LackRow(device_id=device_id, device=device, files_count=len(files), size_bytes=size_bytes)


def _holders(objects: Iterable[StoredObject], others: Set[str], device_id: str) -> list[Holder]:
    return holders_of([one for one in objects if one.device_id in others or one.device_id == device_id], others)


def _files_of_parent(catalog: Catalog, snapshot_id: str, lacking: list[Lacking]) -> dict[int, str]:
    """The files that need what earlier segments lack."""
    return {
        batch.first_entry + at: f"{batch.source}/{batch.path_at(at)}"
        for batch, at, _ in _borrowed_places(catalog, snapshot_id, lacking)
    }


def _borrowed_places(
    catalog: Catalog, snapshot_id: str, lacking: list[Lacking]
) -> Iterator[tuple[EntryBatch, int, Place]]:
    """What of an open snapshot's files lies in lost ranges: of files not read, or read and found unchanged."""
    if not lacking:
        return
    held = {row.segment_id: row.held for row in lacking}
    # A file that was to heal, and had changed, has been stored anew.
    own = {row.first_entry for row in catalog.segments.valid(snapshot_id) if row.stop_entry - row.first_entry == 1}

    def is_lost(place: Place) -> bool:
        return bool(without([(place.stream_offset_bytes, place.size_bytes)], held[place.segment_id]))

    for batch in catalog.listing.batches(snapshot_id):
        for _, at, place in places_in(batch, held.keys()):
            if is_lost(place) and batch.first_entry + at not in own:
                yield batch, at, place
    for row in catalog.segments.partly_unchanged(snapshot_id):
        for extent in extents_of_row(catalog, row):
            if extent.former is not None and extent.former.segment_id in held and is_lost(extent.former):
                yield extent.batch, extent.place, extent.former


def _files_in(catalog: Catalog, row: SegmentRow) -> Iterator[tuple[int, str]]:
    """Entry index and path in the snapshot of each file of which the segment holds something."""
    for batch, place, former in extents_of_row(catalog, row):
        if former is None:
            yield batch.first_entry + place, f"{batch.source}/{batch.path_at(place)}"


def _hard_links(catalog: Catalog, snapshot_id: str, snapshot_paths: set[str]) -> dict[int, str]:
    """The further names of these files."""
    entries_count = catalog.snapshots.get(snapshot_id).entries_count
    return {
        batch.first_entry + place: f"{batch.source}/{batch.path_at(place)}"
        for batch in catalog.listing.reader(snapshot_id).batches(0, entries_count)
        for place, kind in enumerate(batch.kinds)
        if kind == "h" and batch.links[batch.names[place]] in snapshot_paths
    }


def _on_source(snapshot_path: str, sources: Mapping[str, str]) -> str:
    source, _, path = snapshot_path.partition("/")
    return str(Path(sources[source]) / path)
