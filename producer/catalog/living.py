"""Which ranges of segments snapshots need: what is left of an object when the rest of it has been forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from producer.catalog.catalog import Catalog
from producer.catalog.holders import ranges_of
from producer.catalog.needed import Needed
from producer.catalog.tables.objects import StoredObject
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_SEGMENT
from producer.listing.places.stored_ranges import bytes_in, shared, united
from producer.listing.tree.decoding import decode_tree_part

Ranges = Sequence[tuple[int, int]]

#: Ranges of a segment that have not been joined with the others yet.
_PENDING_COUNT = 64


class LivingRanges:
    """Reads the places in tree parts, each part once.  Parts whose segments are known to live as a whole are not read.

    Memory grows with the ranges that lie apart in segments of which something is dead.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._counted: Set[bytes] = frozenset()
        #: Of what snapshots need and devices hold: segment → how many bytes, until all of them are known to live.
        self._open: dict[str, int] = {}
        self._whole: set[str] = set()
        self._of: dict[str, list[tuple[int, int]]] = {}
        self._pending: dict[str, list[tuple[int, int]]] = {}

    def read(self, needed: Needed) -> None:
        """Count what is needed now; what was counted before stays."""
        new = needed.parts - self._counted - needed.map_parts
        self._note_held(needed.segment_ids)
        newest = self._newest() & new
        for digest in (*newest, *(new - newest)):
            self._count(digest)
        for segment_id in list(self._pending):
            self._join(segment_id)
        self._counted = needed.parts

    def of(self, segment_id: str) -> Ranges | None:
        """The ranges of a needed segment's stream that snapshots need, ascending and apart; None: all of it."""
        return None if segment_id in self._whole else self._of.get(segment_id, ())

    def in_object(self, stored: StoredObject) -> Ranges:
        """What of a needed object's segment it holds and snapshots need."""
        living = self.of(stored.segment_id)
        return stored.ranges if living is None else shared(stored.ranges, living)

    def _note_held(self, segment_ids: Iterable[str]) -> None:
        new = [key for key in segment_ids if key not in self._open and key not in self._whole]
        for key, objects in self._catalog.objects.of(new).items():
            self._open[key] = objects[0].size_bytes if objects[0].is_whole else bytes_in(ranges_of(objects))

    def _newest(self) -> Set[bytes]:
        """The parts of the newest snapshot of each volume: they show soonest what lives as a whole."""
        newest = {row.volume: row.snapshot_id for row in self._catalog.snapshots.all()}
        return {digest for found in newest.values() for digest in self._catalog.trees.parts_of(found)}

    def _count(self, digest: bytes) -> None:
        trees = self._catalog.trees
        needs = trees.needs(digest)
        if not needs.maps and not any(key in self._open for key in needs.segment_ids):
            return
        for batch in decode_tree_part(trees.data(digest), "", 0, trees.data):
            for segment_id, ranges in _ranges_in(batch).items():
                if segment_id in self._open:
                    pending = self._pending.setdefault(segment_id, [])
                    pending += united(ranges)
                    if len(pending) > _PENDING_COUNT + len(self._of.get(segment_id, ())):
                        self._join(segment_id)

    def _join(self, segment_id: str) -> None:
        joined = united([*self._of.get(segment_id, ()), *self._pending.pop(segment_id)])
        if bytes_in(joined) < self._open[segment_id]:
            self._of[segment_id] = joined
            return
        self._of.pop(segment_id, None)
        del self._open[segment_id]
        self._whole.add(segment_id)


def _ranges_in(batch: EntryBatch) -> Mapping[str, list[tuple[int, int]]]:
    """Segment → the ranges of its stream that files of the batch lie in."""
    found: dict[str, list[tuple[int, int]]] = {}
    for segment_id, offset_bytes, size_bytes in _places_in(batch):
        ranges = found.setdefault(segment_id, [])
        if ranges and sum(ranges[-1]) == offset_bytes:
            ranges[-1] = ranges[-1][0], ranges[-1][1] + size_bytes
        else:
            ranges.append((offset_bytes, size_bytes))
    return found


def _places_in(batch: EntryBatch) -> Iterator[tuple[str, int, int]]:
    places = batch.places
    columns = zip(places.segments, places.stream_offsets_bytes, batch.stored_sizes_bytes, strict=False)
    for segment, stream_offset_bytes, size_bytes in columns:
        if segment != NO_SEGMENT:
            yield places.segment_ids[segment], stream_offset_bytes, size_bytes
    for pieces in places.pieces.values():
        for _, size_bytes, segment, stream_offset_bytes in pieces:
            yield places.segment_ids[segment], stream_offset_bytes, size_bytes
