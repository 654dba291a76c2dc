"""Which extents of a segment a restore takes, and where each goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, repeat
from typing import NamedTuple

from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing import EntryBatch, ListingReader
from producer.restore.planning.as_read import AsRead, Metadata, metadata_at
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import Wanted
from tasks.metadata import Attributes


class Pick(NamedTuple):
    """One extent to restore: where it is in the segment's stream, and where it goes."""

    entry: int
    path: str
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int
    metadata: Metadata
    attributes: Attributes
    is_sparse: bool = False


class Picks:
    """``left_out``: entries that are kept or lost, which grows; ``path_of``: where an entry goes, if it does."""

    def __init__(
        self,
        reader: ListingReader,
        bundle_limit_bytes: int,
        selection: Selection,
        wanted: Wanted,
        left_out: set[int],
        path_of: Callable[[str], str | None],
    ) -> None:
        self._reader = reader
        self._bundle_limit_bytes = bundle_limit_bytes
        self._selection = selection
        self._wanted = wanted
        self._left_out = left_out
        self._path_of = path_of
        self._as_read = AsRead(wanted)

    def of(self, row: SegmentRow) -> list[Pick]:
        """The wanted extents of one stored segment, in stream order.

        Files that are kept or lost are left out.  An extent of which less was read than planned is restored as short as
        it was read.
        """
        plain = self._plain_bundle(row)
        return self._one_by_one(row) if plain is None else plain

    def _plain_bundle(self, row: SegmentRow) -> list[Pick] | None:
        """The picks of a bundle if all of it is wanted and nothing in it is unusual, else None.

        Column by column: nearly all files are like this, and it takes little more than half the time of one by one.
        """
        if row.stop_entry - row.first_entry == 1 or row.notes:
            return None
        entries: list[int] = []
        paths: list[str] = []
        sizes_bytes: list[int] = []
        metadata: list[Metadata] = []
        attributes: list[Attributes] = []
        for batch in self._reader.batches(row.first_entry, row.stop_entry):
            prefix = self._selection.prefix_of(snapshot_path(batch.source, batch.directory))
            if prefix is None or batch.names == [""] or batch.sparse:
                return None
            places = _bundled(batch, row, self._bundle_limit_bytes)
            entries += [batch.first_entry + place for place in places]
            paths += [prefix + batch.names[place] for place in places]
            sizes_bytes += [batch.sizes_bytes[place] for place in places]
            metadata += [metadata_at(batch, place) for place in places]
            attributes += [batch.attributes_of(batch.names[place]) for place in places]
        if not (self._wanted.pieced.isdisjoint(entries) and self._left_out.isdisjoint(entries)):
            return None
        starts_bytes = accumulate(sizes_bytes, initial=0)
        starts = repeat(row.offset_bytes)
        return list(map(Pick, entries, paths, starts_bytes, starts, sizes_bytes, metadata, attributes))

    def _one_by_one(self, row: SegmentRow) -> list[Pick]:
        notes = {note["index"]: note for note in row.notes}
        is_piece = row.stop_entry - row.first_entry == 1
        found, stream_offset_bytes = [], row.stream_offset_bytes
        for index, (batch, place) in enumerate(self._extents(row)):
            planned_bytes = row.size_bytes if is_piece else batch.sizes_bytes[place]
            note = notes.get(index)
            entry = batch.first_entry + place
            size_bytes = min(planned_bytes, note["read_bytes"]) if note else planned_bytes
            is_pieced, is_altered = entry in self._wanted.pieced, note is not None
            path = None if entry in self._left_out else self._path_of(path_at(batch, place))
            if path is not None and (size_bytes or not is_pieced):
                found.append(
                    Pick(
                        entry=entry,
                        path=path,
                        stream_offset_bytes=stream_offset_bytes,
                        offset_bytes=row.offset_bytes,
                        size_bytes=size_bytes,
                        metadata=() if is_pieced else self._as_read.metadata(batch, place, is_altered=is_altered),
                        attributes={} if is_pieced else self._attributes(batch, place, is_altered=is_altered),
                        is_sparse=batch.names[place] in batch.sparse,
                    )
                )
            stream_offset_bytes += planned_bytes
        return found

    def _attributes(self, batch: EntryBatch, place: int, *, is_altered: bool) -> Attributes:
        attributes = batch.attributes_of(batch.names[place])
        return self._as_read.attributes(batch.first_entry + place, attributes, is_altered=is_altered)

    def _extents(self, row: SegmentRow) -> Iterator[tuple[EntryBatch, int]]:
        """(batch, place) of each extent of the segment in stored order, by the same rule as the plan."""
        batches = self._reader.batches(row.first_entry, row.stop_entry)
        if row.stop_entry - row.first_entry == 1:
            for batch in batches:
                yield batch, row.first_entry - batch.first_entry
            return
        for batch in batches:
            for place in _bundled(batch, row, self._bundle_limit_bytes):
                yield batch, place


def _bundled(batch: EntryBatch, row: SegmentRow, limit_bytes: int) -> list[int]:
    """The places in the batch of the files that the bundle holds."""
    start = max(0, row.first_entry - batch.first_entry)
    stop = min(len(batch), row.stop_entry - batch.first_entry)
    return [place for place, size in enumerate(batch.sizes_bytes[start:stop], start) if 0 < size <= limit_bytes]


def path_at(batch: EntryBatch, place: int) -> str:
    return snapshot_path(batch.source, batch.path_at(place))


def snapshot_path(source: str, path: str) -> str:
    return f"{source}/{path}" if path else source
