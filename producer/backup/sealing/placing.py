"""Makes the entries of a snapshot as it is sealed: what the walk saw, and what was really read and stored.

A place covers only bytes that a worker has read.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from producer.backup.sealing.read_file import ReadFile, places_up_to
from producer.catalog.catalog import Catalog
from producer.catalog.columns import JsonObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.columns import sealed_ctimes_ns
from producer.listing.compared import extents_at, former_of
from producer.listing.data_ranges import data_bytes, up_to
from producer.listing.entry import NOT_STORED, EntryBatch
from producer.listing.extents import bundled_places
from producer.listing.places.places import NO_PLACES, Place, PlacesWriter
from producer.listing.places.stored_cells import indexes_in
from producer.raw.ranges import Range
from tasks.sources.metadata import without_capabilities
from tasks.sources.mtimes import is_same_time

#: States of segments whose bytes have been read.
_SETTLED = ("stored", "unchanged")
_SET_ID = stat.S_ISUID | stat.S_ISGID


def sealed_batches(
    catalog: Catalog, snapshot: SnapshotRow, batches: Iterable[EntryBatch] | None = None
) -> Iterator[EntryBatch]:
    """The snapshot's entries in order, with the places of all that is stored.

    ``batches``: some of the listing, with all those of which something is stored.
    """
    rows = catalog.segments.by_entries(snapshot.snapshot_id)
    troubled = (row.entry_index for row in catalog.troubles.all(snapshot.snapshot_id))
    placing = _Placing(rows, snapshot.bundle_limit_bytes, frozenset(at for at in troubled if at is not None))
    listed = catalog.listing.batches(snapshot.snapshot_id) if batches is None else batches
    return map(placing.sealed, listed)


class _Open(Struct):
    """A segment whose range of entries is being passed, and how far."""

    row: SegmentRow
    notes: Mapping[int, JsonObject]
    #: The extents that are not in it, by index.
    unchanged: Set[int]
    index: int = 0
    stream_offset_bytes: int = 0

    def next_place(self, offset_bytes: int, size_bytes: int) -> Place:
        """Where the segment has that range of a file's data, which comes next in its stream."""
        found = Place(self.row.segment_id, self.stream_offset_bytes, offset_bytes, size_bytes)
        self.stream_offset_bytes += size_bytes
        return found


class _Placing:
    """``rows`` in order of their first entries; ``troubled``: the entries that troubles are of."""

    def __init__(self, rows: Iterable[SegmentRow], bundle_limit_bytes: int, troubled: Set[int]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)
        self._open: list[_Open] = []
        self._limit_bytes = bundle_limit_bytes
        self._troubled = troubled

    def sealed(self, batch: EntryBatch) -> EntryBatch:
        """The batch that follows the one of the last call."""
        self._begin(batch.stop_entry)
        writer, files = PlacesWriter(len(batch)), defaultdict[int, ReadFile](ReadFile)
        for one in self._open:
            if one.row.stop_entry - one.row.first_entry == 1:
                self._place_piece(one, batch, files)
            else:
                self._place_bundle(one, batch, writer, files)
        self._open = [one for one in self._open if one.row.stop_entry > batch.stop_entry]
        for place, size_bytes in enumerate(batch.stored_sizes_bytes) if self._troubled else ():
            if size_bytes == 0 and batch.first_entry + place in self._troubled:
                # It lies in no segment and may not be empty: the next backup looks at it again.
                files[place].is_altered = True
        if not files and writer.is_empty:
            return replace(batch, former=NO_PLACES, ctimes_ns=sealed_ctimes_ns(batch))
        _keep_known_places(batch, writer, files)
        return _as_read(batch, files, writer)

    def _begin(self, stop_entry: int) -> None:
        while self._next is not None and self._next.first_entry < stop_entry:
            notes = {note["index"]: note for note in self._next.notes}
            unchanged = frozenset(indexes_in(self._next.unchanged))
            self._open.append(_Open(self._next, notes, unchanged))
            self._next = next(self._rows, None)

    def _place_piece(self, one: _Open, batch: EntryBatch, files: dict[int, ReadFile]) -> None:
        row, place = one.row, one.row.first_entry - batch.first_entry
        if row.state not in _SETTLED:
            files[place].unread = NOT_STORED, _why_omitted(row)
            return
        self._place_extents(one, batch, place, Range(row.offset_bytes, row.offset_bytes + row.size_bytes), files[place])
        if row.file_state is not None:
            files[place].mtimes_ns.append(row.file_state["mtime_ns"])

    def _place_bundle(self, one: _Open, batch: EntryBatch, writer: PlacesWriter, files: dict[int, ReadFile]) -> None:
        row, sizes_bytes = one.row, batch.stored_sizes_bytes
        for place in bundled_places(batch, row.first_entry, row.stop_entry, self._limit_bytes):
            if row.state not in _SETTLED:
                files[place].unread = NOT_STORED, _why_omitted(row)
            elif one.notes or batch.data_ranges or batch.former.segment_ids:
                self._place_extents(one, batch, place, Range(0, sizes_bytes[place]), files[place])
            else:
                # Nearly all files are like this.
                writer.add_whole(place, row.segment_id, one.stream_offset_bytes)
                one.index += 1
                one.stream_offset_bytes += sizes_bytes[place]

    def _place_extents(self, one: _Open, batch: EntryBatch, place: int, part: Range, file: ReadFile) -> None:
        """Place a part of a file's data: each of its ranges is an extent of the segment."""
        data_offset_bytes, is_piece = part.start, one.row.stop_entry - one.row.first_entry == 1
        former = former_of(batch, place)
        file.edges = frozenset() if former is None else frozenset(former.edges)
        for offset_bytes, size_bytes in extents_at(batch, place, part.start, part.stop, former):
            known = former.at(data_offset_bytes, size_bytes) if one.index in one.unchanged and former else None
            found = known or one.next_place(data_offset_bytes, size_bytes)
            file.take(found, offset_bytes, one.notes.get(one.index), is_piece=is_piece)
            one.index += 1
            data_offset_bytes += size_bytes


def _why_omitted(row: SegmentRow) -> str:
    return f"the backup could not store it: device {row.device} died, and the others had no room"


def _keep_known_places(batch: EntryBatch, writer: PlacesWriter, files: Mapping[int, ReadFile]) -> None:
    """Keep the places that the walk took over from the parent, except for files that were read after all."""
    if not batch.places.segment_ids:
        return
    places = batch.places
    writer.take_over(places, [place for place in range(len(batch)) if place not in files])
    for place, name in enumerate(batch.names) if places.pieces else ():
        if name in places.pieces and place not in files:
            writer.add(place, name, batch.data_bytes_at(place), list(batch.places_of(place)))


def _as_read(batch: EntryBatch, files: Mapping[int, ReadFile], writer: PlacesWriter) -> EntryBatch:
    """The batch as it was read: another size, time or content than the walk saw shows in its columns."""
    columns: dict[str, Any] = {"ctimes_ns": sealed_ctimes_ns(batch)}
    sizes_bytes, mtimes_ns, modes = list(batch.sizes_bytes), list(batch.mtimes_ns), list(batch.modes)
    data_ranges = dict(batch.data_ranges)
    unread, unsettled, altered = dict(batch.unread), list(batch.unsettled), set[str]()
    for place, file in sorted(files.items()):
        name = batch.names[place]
        if file.ended_bytes is not None:
            sizes_bytes[place] = min(sizes_bytes[place], file.ended_bytes)
            if name in data_ranges:
                data_ranges[name] = up_to(data_ranges[name], sizes_bytes[place])
        if file.mtimes_ns and not file.is_altered:
            read_ns = max(file.mtimes_ns)
            file.is_altered = not all(is_same_time(read_ns, time_ns) for time_ns in file.mtimes_ns)
            if not file.is_altered and not is_same_time(mtimes_ns[place], read_ns):
                mtimes_ns[place] = read_ns
        if file.unread is not None:
            unread[name] = file.unread
        if file.is_altered:
            unsettled.append(name)
            altered.add(name)
            modes[place] &= ~_SET_ID
        stored_bytes = data_bytes(data_ranges.get(name, [(0, sizes_bytes[place])]))
        writer.add(place, name, stored_bytes, places_up_to(file.places, stored_bytes))
    if files:
        columns |= {"sizes_bytes": sizes_bytes, "mtimes_ns": mtimes_ns, "modes": modes, "data_ranges": data_ranges}
        columns |= {"unread": unread, "unsettled": unsettled}
    if altered.intersection(batch.attributes):
        columns |= _without_capabilities(batch, altered)
    return replace(batch, places=writer.places(), former=NO_PLACES, **columns)


def _without_capabilities(batch: EntryBatch, altered: set[str]) -> dict[str, Any]:
    """The columns of attributes without these files' capabilities, which were given to another content."""
    attributes, sets = dict(batch.attributes), list(batch.attribute_sets)
    for name in altered.intersection(attributes):
        kept = without_capabilities(sets[attributes[name]])
        del attributes[name]
        if kept:
            attributes[name] = len(sets)
            sets.append(kept)
    return {"attributes": attributes, "attribute_sets": sets}
