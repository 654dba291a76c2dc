"""What stays of the plan of an interrupted run.

The sources are walked again.  When the new listing is the old one, byte for byte, every segment stays as it was
planned.  When something changed meanwhile, the segments whose files are all unchanged stay, stored or not; the
others are superseded, and their files are planned again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.listing import ListingPartRow
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.troubles import TroubleRow
from producer.listing import ListingPart, ListingReader, decode_part, extents_of
from producer.listing.data_ranges import DataRanges
from producer.listing.extents import bundled_places
from producer.listing.places.places import Place
from producer.pool.members import Member

#: (path, size, mtime, ctime, ranges of data, what it is compared with) of one file: what must be equal for its stored
#: bytes to be taken as still true.
_FileRow = tuple[str, int, int, int, DataRanges, Sequence[Place]]


class Kept(Struct, frozen=True, kw_only=True):
    """What remains of the earlier plan: entry ranges [first, stop) of the segments, in the new listing."""

    ranges: tuple[tuple[int, int], ...]
    #: The listing has not changed: nothing has to be planned again.
    is_everything: bool


def carry_over(
    catalog: Catalog, snapshot: SnapshotRow, parts: Sequence[ListingPart], members: Mapping[str, Member]
) -> Kept | None:
    """Bring the open snapshot to the new listing, in one transaction.  Idempotent.

    None: it had no plan yet, so nothing of it can be kept.

    ``members`` are recorded in the catalog.  What lay on a device in whose folder another one is now, because it was
    wiped or exchanged, does not remain.
    """
    with catalog.transaction():
        if snapshot.planned_at is None:
            catalog.listing.replace(snapshot.snapshot_id, map(_part_row, parts))
            catalog.troubles.clear(snapshot.snapshot_id, of_walk_only=False)
            return None
        catalog.transitions.drop_healing(snapshot.snapshot_id)
        catalog.transitions.reopen(snapshot.snapshot_id)
        replaced = _replaced_devices(catalog, members).intersection(catalog.segments.device_ids(snapshot.snapshot_id))
        if not replaced and _is_same_listing(catalog, snapshot.snapshot_id, parts):
            catalog.troubles.clear(snapshot.snapshot_id, of_walk_only=True)
            rows = catalog.segments.valid(snapshot.snapshot_id)
            return Kept(ranges=tuple((row.first_entry, row.stop_entry) for row in rows), is_everything=True)
        return _keep_unchanged(catalog, snapshot, parts, replaced)


def _replaced_devices(catalog: Catalog, members: Mapping[str, Member]) -> set[str]:
    """The ids of devices that had the name and the folder of one of the members."""
    ids = {member.device_id for member in members.values()}
    rows = catalog.devices.all()
    places = {(row.name, row.path) for row in rows if row.device_id in ids}
    return {row.device_id for row in rows if (row.name, row.path) in places} - ids


def _is_same_listing(catalog: Catalog, snapshot_id: str, parts: Sequence[ListingPart]) -> bool:
    if len(catalog.listing.first_entries(snapshot_id)) != len(parts):
        return False
    old = catalog.listing.parts(snapshot_id)
    return all(one.data == other.data for one, other in zip(old, parts, strict=True))


def _keep_unchanged(catalog: Catalog, snapshot: SnapshotRow, parts: Sequence[ListingPart], replaced: set[str]) -> Kept:
    old = catalog.listing.reader(snapshot.snapshot_id)
    new = ListingReader([part.first_entry for part in parts], lambda number: decode_part(parts[number].data))
    valid = list(catalog.segments.valid(snapshot.snapshot_id))
    # A file that has lost one of its pieces is planned again as a whole.
    lost_entries = {row.first_entry for row in valid if row.device_id in replaced}
    segments = [row for row in valid if row.first_entry not in lost_entries]
    limit_bytes = snapshot.bundle_limit_bytes
    fingerprints = {
        row.number: _fingerprint(_files(old, row.first_entry, row.stop_entry, limit_bytes)) for row in segments
    }
    ends = {row.number: _ends(old, row, limit_bytes) for row in segments}
    entries = _entries_of(parts, {path for pair in ends.values() for path in pair})
    kept: list[tuple[SegmentRow, int, int]] = []
    for row in segments:
        first, last = (entries.get(path) for path in ends[row.number])
        if first is not None and last is not None and first <= last:
            stop = last + 1
            if _fingerprint(_files(new, first, stop, limit_bytes)) == fingerprints[row.number]:
                kept.append((row, first, stop))
    catalog.listing.replace(snapshot.snapshot_id, map(_part_row, parts))
    catalog.transitions.keep(snapshot.snapshot_id, [(row.number, first, stop) for row, first, stop in kept])
    catalog.troubles.clear(snapshot.snapshot_id, of_walk_only=False)
    for row, first, stop in kept:
        catalog.troubles.add(snapshot.snapshot_id, _troubles(row, new, first, stop, snapshot))
    return Kept(ranges=tuple((first, stop) for _, first, stop in kept), is_everything=False)


def _files(reader: ListingReader, first_entry: int, stop_entry: int, limit_bytes: int) -> Iterator[_FileRow]:
    """The files of a segment over these entries, by the plan's rule; paths begin with the source's name."""
    is_piece = stop_entry - first_entry == 1
    for batch in reader.batches(first_entry, stop_entry):
        is_here = is_piece and batch.first_entry <= first_entry < batch.stop_entry
        bundled = [] if is_piece else bundled_places(batch, first_entry, stop_entry, limit_bytes)
        for place in [first_entry - batch.first_entry] if is_here else bundled:
            path = f"{batch.source}/{batch.path_at(place)}"
            size_bytes, ranges = batch.sizes_bytes[place], batch.ranges_at(place)
            former = list(batch.former_places_of(place))
            yield path, size_bytes, batch.mtimes_ns[place], batch.ctimes_ns[place], ranges, former


def _fingerprint(files: Iterable[_FileRow]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for row in files:
        digest.update(json.dumps(row).encode("ascii"))
    return digest.digest()


def _ends(reader: ListingReader, row: SegmentRow, limit_bytes: int) -> tuple[str, str]:
    """The paths of a segment's first and last file."""
    paths = [path for path, *_ in _files(reader, row.first_entry, row.stop_entry, limit_bytes)]
    return paths[0], paths[-1]


def _entries_of(parts: Sequence[ListingPart], paths: set[str]) -> dict[str, int]:
    """Path → entry index in the new listing, for those of ``paths`` that are regular files there."""
    found = {}
    for part in parts:
        for batch in decode_part(part.data):
            prefix = f"{batch.source}/{batch.prefix}"
            for place, (name, kind) in enumerate(zip(batch.names, batch.kinds, strict=True)):
                if kind == "f" and prefix + name in paths:
                    found[prefix + name] = batch.first_entry + place
    return found


def _troubles(row: SegmentRow, reader: ListingReader, first: int, stop: int, snapshot: SnapshotRow) -> list[TroubleRow]:
    """The troubles in a kept segment's receipt, at their new entries."""
    if not row.notes:
        return []
    contents = extents_of(
        reader.batches(first, stop),
        first_entry=first,
        stop_entry=stop,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
        bundle_limit_bytes=snapshot.bundle_limit_bytes,
    )
    root = {source.name: Path(source.path) for source in snapshot.sources}[contents.source]
    rows: dict[int, TroubleRow] = {}
    for note in row.notes:
        entry, path = contents.entries[note["index"]], str(root / contents.extents.paths[note["index"]])
        rows.setdefault(entry, TroubleRow(entry_index=entry, path=path, code=note["trouble"], message=note["message"]))
    return list(rows.values())


def _part_row(part: ListingPart) -> ListingPartRow:
    return ListingPartRow(
        number=part.number, first_entry=part.first_entry, entries_count=part.entries_count, data=part.data
    )
