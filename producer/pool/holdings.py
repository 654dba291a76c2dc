"""Which files of a snapshot have something in segments: by name, or counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.listing.extents import bundled_places
from tasks.values import MAX_OFFSET_BYTES


def paths_in(catalog: Catalog, snapshot_id: str, rows: Iterable[SegmentRow]) -> dict[int, str]:
    """Entry → path on the source, in listing order: the files of which the segments hold something, by all names."""
    found = {entry: path for row in rows for entry, path in _files_in(catalog, snapshot_id, row)}
    found |= _hard_links(catalog, snapshot_id, set(found.values())) if found else {}
    snapshot = catalog.snapshots.get(snapshot_id)
    sources = {source.name: source.path for source in snapshot.sources}
    return {entry: _on_source(found[entry], sources) for entry in sorted(found)}


def held_by(catalog: Catalog, snapshot_id: str, device_id: str, device: str) -> LackRow | None:
    """What a snapshot lacks without this device; None if nothing."""
    size_bytes = files_count = 0
    # Bundles have whole files; a file with pieces may have several here.
    pieced: set[int] = set()
    for row in catalog.segments.stored(snapshot_id, device_id=device_id):
        size_bytes += row.size_bytes
        if row.stop_entry - row.first_entry > 1:
            files_count += sum(1 for _ in _files_in(catalog, snapshot_id, row))
        else:
            pieced.add(row.first_entry)
    files_count += len(pieced)
    if not files_count:
        return None
    return LackRow(device_id=device_id, device=device, files_count=files_count, size_bytes=size_bytes)


def _files_in(catalog: Catalog, snapshot_id: str, row: SegmentRow) -> Iterator[tuple[int, str]]:
    """Entry index and path in the snapshot of each file of which the segment holds something."""
    snapshot, reader = catalog.snapshots.get(snapshot_id), catalog.listing.reader(snapshot_id)
    is_bundle = row.stop_entry - row.first_entry > 1
    limit_bytes = snapshot.bundle_limit_bytes if is_bundle else MAX_OFFSET_BYTES
    for batch in reader.batches(row.first_entry, row.stop_entry):
        for place in bundled_places(batch, row.first_entry, row.stop_entry, limit_bytes):
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
