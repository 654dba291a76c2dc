"""The places in a tree part: checked, with those in its map parts; for all of an entry, or for the places alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from producer.listing.data_ranges import data_bytes
from producer.listing.entry import DataSize
from producer.listing.frames import decode_line
from producer.listing.places.map_parts import MapHead, lines_of, pieces_of
from producer.listing.places.places import NO_PLACES, Place, Places
from tasks.errors import DamagedError
from tasks.values import Count


class PlacedBatch(Struct, frozen=True, kw_only=True):
    """Those columns of :class:`producer.listing.entry.EntryBatch` that say how much of which file lies where."""

    names: list[str]
    sizes_bytes: list[DataSize]
    data_ranges: dict[str, list[tuple[Count, Count]]] = {}
    places: Places = NO_PLACES
    unread: dict[str, tuple[str, str]] = {}
    unsettled: list[str] = []

    def places_of(self, place: int) -> Iterator[Place]:
        """As those of the batch."""
        return self.places.of(place, self.names[place], self.data_bytes_at(place))

    def data_bytes_at(self, place: int) -> int:
        """The bytes of the file at ``place`` that are no holes."""
        ranges = self.data_ranges.get(self.names[place])
        return self.sizes_bytes[place] if ranges is None else data_bytes(ranges)


def decode_placed(data: bytes, load: Callable[[bytes], bytes], digest: bytes | None = None) -> Iterator[PlacedBatch]:
    """The batches of a tree part; ``load`` gives a map part, by its digest, as it is stored.

    Takes a fraction of the time of a whole part.  Raises DamagedError for anything but sound places; all that is not
    among the columns is not looked at.
    """
    first, *lines = lines_of(data, digest)
    reader = PlacesReader(decode_line(first, MapHead).segment_ids, load)
    for line in lines:
        batch = decode_line(line, PlacedBatch)
        if len(batch.sizes_bytes) != len(batch.names):
            raise DamagedError("tree part: columns differ in length")
        yield replace(batch, places=reader.places(batch))


class _Placed(Protocol):
    """A batch as it stands in a part."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def places(self) -> Places: ...
    @property
    def unread(self) -> Mapping[str, tuple[str, str]]: ...
    @property
    def unsettled(self) -> Collection[str]: ...


class PlacesReader:
    """Of one tree part that needs ``segment_ids``; to be given its batches in order."""

    def __init__(self, segment_ids: list[str], load: Callable[[bytes], bytes]) -> None:
        self._needed = frozenset(segment_ids)
        self._load = load

    def places(self, batch: _Placed) -> Places:
        """The places of the batch, with those in its maps; raises DamagedError where they are not sound."""
        places = batch.places
        _refuse_foreign_places(batch, len(places.segment_ids))
        if not self._needed.issuperset(places.segment_ids):
            # A prune looks at the first line alone.
            raise DamagedError("tree part: its first line lacks a segment")
        return self._without_maps(places) if places.maps else places

    def _without_maps(self, places: Places) -> Places:
        """With all pieces of all files."""
        pieces, numbers = dict(places.pieces), {one: number for number, one in enumerate(places.segment_ids)}
        for name, digests in places.maps.items():
            named = [bytes.fromhex(digest) for digest in digests]
            pieces[name] = [piece for one in named for piece in pieces_of(self._load(one), numbers, one)]
        return replace(places, segment_ids=list(numbers), pieces=pieces, maps={})


def _refuse_foreign_places(batch: _Placed, segments_count: int) -> None:
    places = batch.places
    of_pieces = (piece[2] for pieces in places.pieces.values() for piece in pieces) if places.pieces else ()
    if max(max(places.segments, default=-1), max(of_pieces, default=-1)) >= segments_count:
        raise DamagedError("tree part: a place names no segment")
    if len(places.segments) not in (0, len(batch.names)) or len(places.segments) != len(places.stream_offsets_bytes):
        raise DamagedError("tree part: columns differ in length")
    if not (places.pieces or places.maps or batch.unread or batch.unsettled):
        return
    if not (places.pieces.keys() | places.maps.keys() | batch.unread.keys() | set(batch.unsettled)) <= set(batch.names):
        raise DamagedError("tree part: places belong to no entry")
