"""Which extents of a stored object a restore takes, and where each goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from operator import attrgetter
from typing import NamedTuple

from producer.catalog.holders import Holder
from producer.catalog.tree import Tree
from producer.listing import EntryBatch
from producer.listing.data_ranges import part_of
from producer.listing.places.places import Place
from producer.listing.places.stored_ranges import without
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import Wanted
from tasks.sources.metadata import Attributes

#: (mode, uid, gid, mtime_ns) of a whole file; () for a piece, whose file is finished later.
Metadata = tuple[int, ...]


#: Segment → the pieces that it holds: place in the batch, and where it is.
_Pieces = dict[str, list[tuple[int, Place]]]

#: Of which the pieces are remembered.
_KEPT_BATCHES_COUNT = 64


class Pick(NamedTuple):
    """One extent to restore: where it is in the object's stream, and where it goes."""

    entry: int
    path: str
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int
    metadata: Metadata
    attributes: Attributes
    #: Whether long zeros may have been holes.
    is_sparse: bool = False


class Picks:
    """``left_out``: entries that are kept or lost, which grows; ``path_of``: where an entry goes, if it does."""

    def __init__(
        self,
        tree: Tree,
        selection: Selection,
        wanted: Wanted,
        left_out: set[int],
        path_of: Callable[[str], str | None],
    ) -> None:
        self._tree = tree
        self._selection = selection
        self._wanted = wanted
        self._left_out = left_out
        self._path_of = path_of
        #: By the batch's first entry.
        self._pieces: dict[int, _Pieces] = {}

    def of(self, holder: Holder) -> list[Pick]:
        """The wanted extents that are to be read from one object, in stream order.

        Files that are kept or lost are left out.
        """
        found = self._in_segment(holder.object.segment_id)
        return found if holder.is_plain else [part for pick in found for part in _held(pick, holder)]

    def lacking(self, segment_id: str, ranges: Sequence[tuple[int, int]]) -> Iterator[Pick]:
        """What is wanted of a segment, and lies in none of these ranges of its stream."""
        for pick in self._in_segment(segment_id):
            for offset_bytes, size_bytes in without([(pick.stream_offset_bytes, pick.size_bytes)], ranges):
                before_bytes = offset_bytes - pick.stream_offset_bytes
                yield pick._replace(offset_bytes=pick.offset_bytes + before_bytes, size_bytes=size_bytes)

    def _in_segment(self, segment_id: str) -> list[Pick]:
        found: list[Pick] = []
        for number in self._tree.parts_of_segments[segment_id]:
            for batch in self._tree.reader.part(number):
                if segment_id in batch.places.segment_ids:
                    found += self._in_batch(batch, segment_id)
        found.sort(key=attrgetter("stream_offset_bytes"))
        return found

    def _in_batch(self, batch: EntryBatch, segment_id: str) -> Iterator[Pick]:
        number = batch.places.segment_ids.index(segment_id)
        places = [place for place, other in enumerate(batch.places.segments) if other == number]
        entries = [batch.first_entry + place for place in places]
        prefix = self._selection.prefix_of(snapshot_path(batch.source, batch.directory))
        is_plain = prefix is not None and batch.names != [""] and not batch.data_ranges
        if is_plain and self._wanted.pieced.isdisjoint(entries) and self._left_out.isdisjoint(entries):
            # Column by column: nearly all files are like this, and it takes little more than half the time.
            yield from map(
                Pick,
                entries,
                [f"{prefix}{batch.names[place]}" for place in places],
                [batch.places.stream_offsets_bytes[place] for place in places],
                repeat(0),
                [batch.sizes_bytes[place] for place in places],
                [metadata_at(batch, place) for place in places],
                [batch.attributes_of(batch.names[place]) for place in places],
            )
        else:
            for place in places:
                for found in batch.places_of(place):
                    yield from self._one_by_one(batch, place, found)
        for place, found in self._pieces_in(batch).get(segment_id, ()):
            yield from self._one_by_one(batch, place, found)

    def _pieces_in(self, batch: EntryBatch) -> _Pieces:
        """The pieces of the batch's files by segment.  A large file has as many as segments: each is looked at once."""
        if not batch.places.pieces:
            return {}
        found = self._pieces.get(batch.first_entry)
        if found is None:
            found = {}
            for name in batch.places.pieces:
                place = batch.names.index(name)
                for piece in batch.places_of(place):
                    found.setdefault(piece.segment_id, []).append((place, piece))
            if len(self._pieces) >= _KEPT_BATCHES_COUNT:
                del self._pieces[next(iter(self._pieces))]
            self._pieces[batch.first_entry] = found
        return found

    def _one_by_one(self, batch: EntryBatch, place: int, found: Place) -> Iterator[Pick]:
        """The extents in one place of a file: each range of data is one."""
        stream_offset_bytes, stop_bytes = found.stream_offset_bytes, found.offset_bytes + found.size_bytes
        for offset_bytes, size_bytes in part_of(batch.ranges_at(place), found.offset_bytes, stop_bytes):
            yield from self._one(batch, place, stream_offset_bytes, offset_bytes, size_bytes)
            stream_offset_bytes += size_bytes

    def _one(
        self, batch: EntryBatch, place: int, stream_offset_bytes: int, offset_bytes: int, size_bytes: int
    ) -> Iterator[Pick]:
        entry, name = batch.first_entry + place, batch.names[place]
        path = None if entry in self._left_out else self._path_of(path_at(batch, place))
        if path is not None:
            is_pieced = entry in self._wanted.pieced
            yield Pick(
                entry=entry,
                path=path,
                stream_offset_bytes=stream_offset_bytes,
                offset_bytes=offset_bytes,
                size_bytes=size_bytes,
                metadata=() if is_pieced else metadata_at(batch, place),
                attributes={} if is_pieced else batch.attributes_of(name),
                is_sparse=name in batch.data_ranges and not batch.has_holes(place),
            )


def _held(pick: Pick, holder: Holder) -> Iterator[Pick]:
    """The parts of an extent of the segment that the object holds, where they are in its own stream."""
    for part in holder.parts_of(pick.stream_offset_bytes, pick.size_bytes):
        yield pick._replace(
            stream_offset_bytes=part.stream_offset_bytes,
            offset_bytes=pick.offset_bytes + part.offset_bytes,
            size_bytes=part.size_bytes,
        )


def metadata_at(batch: EntryBatch, place: int) -> Metadata:
    return (batch.modes[place], batch.uids[place], batch.gids[place], batch.mtimes_ns[place])


def path_at(batch: EntryBatch, place: int) -> str:
    return snapshot_path(batch.source, batch.path_at(place))


def snapshot_path(source: str, path: str) -> str:
    return f"{source}/{path}" if path else source
