"""One pass over the listing and one over the segments, before a restore orders anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.entry import EntryBatch
from producer.listing.parts import decode_part
from producer.listing.reader import ListingReader
from producer.restore.holes import Hole
from producer.restore.planning.selection import Selection
from producer.restore.planning.unread import ShortExtent, UnreadFile, noted_entries, omitted_extents, short_extents
from tasks.errors import UsageError
from tasks.mtimes import is_same_time


@dataclass(kw_only=True, slots=True)
class Wanted:
    """The result of a selection."""

    #: All wanted entries have indexes in [first_entry, stop_entry).
    first_entry: int = 0
    stop_entry: int = 0
    #: Wanted files that are not empty and the bytes stored of them, for the progress; without ``promoted`` ones.
    files_count: int = 0
    bytes_total: int = 0
    #: Whether any wanted entry is a hard link.
    has_links: bool = False
    #: Snapshot paths of the folders above wanted entries, where patterns may leave them out.
    on_the_way: set[str] = field(default_factory=set)
    #: Snapshot path of a file that is not wanted itself → target path of the first hard link to it that is.
    promoted: dict[str, str] = field(default_factory=dict)
    #: Entries whose data lies in more than one segment, files with holes, and raw volumes.
    pieced: set[int] = field(default_factory=set)
    #: Entries that ended early when they were read → their real size.
    short: dict[int, int] = field(default_factory=dict)
    #: Entries with segments of their own → when they were last written, where these segments agree on it.
    mtimes_ns: dict[int, int] = field(default_factory=dict)
    #: Entries that were not read as the walk saw them.
    altered: set[int] = field(default_factory=set)
    #: Entries that the backup could not read, or not all of it; there may be some among them that are not wanted.
    unread: dict[int, UnreadFile] = field(default_factory=dict)
    #: Those of ``unread`` that are not restored, not even with holes.
    not_stored: set[int] = field(default_factory=set)


def find_wanted(catalog: Catalog, snapshot_id: str, selection: Selection, *, may_lack_parts: bool = False) -> Wanted:
    """Raises UsageError when nothing in the snapshot is wanted.

    ``may_lack_parts``: a file with a segment of its own counts as pieced, because it may be restored without some
    parts.
    """
    wanted = Wanted()
    snapshot = catalog.snapshots.get(snapshot_id)
    raw_volumes = {source.name for source in snapshot.sources if source.mode == "raw"}
    _look_through_listing(catalog, snapshot_id, selection, wanted, raw_volumes)
    if wanted.stop_entry == 0:
        what = f"no path {selection.path!r}" if selection.path else "nothing that matches the patterns"
        if selection.path and selection.has_patterns and _holds(catalog, snapshot_id, selection):
            what = f"nothing in {selection.path!r} that matches the patterns"
        raise UsageError(
            f"snapshot {snapshot_id[:8]} holds {what}", hint=f"segfleet ls {snapshot_id[:8]} lists what it holds"
        )
    reader = catalog.listing.reader(snapshot_id)
    large = _look_through_segments(catalog, snapshot, reader, wanted, may_lack_parts=may_lack_parts)
    large |= _look_through_omitted(catalog, snapshot, reader, wanted)
    _give_up_unread_files(wanted, reader, large, may_lack_parts=may_lack_parts)
    return wanted


def segments_with(catalog: Catalog, snapshot_id: str, wanted: Wanted, *, device_id: str = "") -> Iterator[SegmentRow]:
    """The stored segments (of one device) that may hold wanted data, in plan order."""
    if wanted.promoted:
        return catalog.segments.stored(snapshot_id, device_id=device_id)
    return catalog.segments.overlapping(snapshot_id, wanted.first_entry, wanted.stop_entry, device_id=device_id)


def _holds(catalog: Catalog, snapshot_id: str, selection: Selection) -> bool:
    """Whether there is anything at the path of the selection, whatever the patterns say."""
    for part in catalog.listing.parts(snapshot_id):
        for batch in decode_part(part.data):
            prefix = f"{batch.source}/{batch.prefix}"
            for name in batch.names:
                if selection.place_of(prefix + name if name else batch.source, is_directory=True) is not None:
                    return True
    return False


def _look_through_listing(
    catalog: Catalog, snapshot_id: str, selection: Selection, wanted: Wanted, raw_volumes: set[str]
) -> None:
    links: list[tuple[str, str]] = []
    first: int | None = None
    for part in catalog.listing.parts(snapshot_id):
        for batch in decode_part(part.data):
            prefix, sizes_bytes = f"{batch.source}/{batch.prefix}", batch.stored_sizes_bytes
            wanted.pieced.update(_with_holes(batch))
            for place, (name, kind) in enumerate(zip(batch.names, batch.kinds, strict=True)):
                path = prefix + name if name else batch.source
                target = selection.target_path(path, is_directory=kind == "d")
                if target is None:
                    continue
                first = batch.first_entry + place if first is None else first
                wanted.stop_entry = batch.first_entry + place + 1
                _note_folders_above(path, selection, wanted.on_the_way)
                if kind == "h":
                    links.append((batch.links[name], target))
                elif batch.sizes_bytes[place] > 0:
                    wanted.files_count += 1
                    wanted.bytes_total += sizes_bytes[place]
                    # Pieced even with one segment: ranges that no segment holds are zeros.
                    wanted.pieced.update([batch.first_entry + place] if batch.source in raw_volumes else ())
    wanted.first_entry = first or 0
    wanted.has_links = bool(links)
    for link, target in links:
        if selection.target_path(link, is_directory=False) is None:
            wanted.promoted.setdefault(link, target)


def _with_holes(batch: EntryBatch) -> Iterator[int]:
    """The files of the batch whose holes are known: what no extent covers must become one."""
    for place, name in enumerate(batch.names) if batch.data_ranges else ():
        if name in batch.data_ranges and batch.has_holes(place):
            yield batch.first_entry + place


def _note_folders_above(path: str, selection: Selection, found: set[str]) -> None:
    if not selection.has_patterns:
        return
    above = path.rpartition("/")[0]
    while above and above not in found and selection.place_of(above, is_directory=True) is not None:
        found.add(above)
        above = above.rpartition("/")[0]


def _look_through_segments(
    catalog: Catalog, snapshot: SnapshotRow, reader: ListingReader, wanted: Wanted, *, may_lack_parts: bool
) -> set[int]:
    """Returns the entries that have segments of their own."""
    large: set[int] = set()
    restless: set[int] = set()
    for row in segments_with(catalog, snapshot.snapshot_id, wanted):
        if row.stop_entry - row.first_entry == 1:
            if row.first_entry in large or may_lack_parts:
                wanted.pieced.add(row.first_entry)
            large.add(row.first_entry)
            if row.file_state is not None:
                mtime_ns: int = row.file_state["mtime_ns"]
                before_ns = wanted.mtimes_ns.get(row.first_entry, mtime_ns)
                if row.notes or not is_same_time(before_ns, mtime_ns):
                    restless.add(row.first_entry)
                # The later one is the finer one.
                wanted.mtimes_ns[row.first_entry] = max(before_ns, mtime_ns)
        wanted.altered |= noted_entries(row, reader, snapshot.bundle_limit_bytes)
        for extent in short_extents(row, reader, snapshot.bundle_limit_bytes):
            _take_short_extent(extent, wanted)
    for entry in restless:
        wanted.mtimes_ns.pop(entry, None)
    wanted.altered |= restless
    return large


def _look_through_omitted(catalog: Catalog, snapshot: SnapshotRow, reader: ListingReader, wanted: Wanted) -> set[int]:
    """As the other one, for what the snapshot was sealed without."""
    large: set[int] = set()
    for row in catalog.segments.omitted(snapshot.snapshot_id) if snapshot.has_omitted else ():
        large |= {row.first_entry} if row.stop_entry - row.first_entry == 1 else set()
        for extent in omitted_extents(row, reader, snapshot.bundle_limit_bytes):
            _take_short_extent(extent, wanted)
    return large


def _take_short_extent(extent: ShortExtent, wanted: Wanted) -> None:
    entry, hole = extent.entry, extent.hole
    if extent.has_ended:
        wanted.short[entry] = min(hole.offset_bytes, wanted.short.get(entry, hole.offset_bytes))
    else:
        wanted.unread.setdefault(entry, UnreadFile(snapshot_path=extent.snapshot_path)).holes.append(hole)


def _give_up_unread_files(wanted: Wanted, reader: ListingReader, large: set[int], *, may_lack_parts: bool) -> None:
    """Find those that are not restored: all but large files that were read in part, if they may lack parts."""
    for entry, file in wanted.unread.items():
        data_bytes = reader.entry(entry).data_bytes if entry in large else file.missing_bytes
        if file.missing_bytes == data_bytes:
            file.holes = [Hole(offset_bytes=0, size_bytes=data_bytes, why=file.holes[0].why)]
        if file.missing_bytes == data_bytes or not may_lack_parts:
            wanted.not_stored.add(entry)
