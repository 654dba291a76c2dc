"""Where the bytes of files are: in which segments, and where in their streams.

A place never changes.  It names a segment, which is an address for ever; which object on which device holds that
segment now, the index says (:mod:`producer.catalog.tables.segments`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from tasks.values import Count, Digest, HexId

#: In the column ``segments``: the entry has no place, or has its places in ``pieces``.
NO_SEGMENT = -1

Segment = Annotated[int, Meta(ge=NO_SEGMENT)]


class Place(NamedTuple):
    """Bytes [offset, offset + size) of a file's data are the same number of bytes of a segment's stream.

    Data is counted without holes: see :mod:`producer.listing.data_ranges`.
    """

    segment_id: str
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int


#: (offset in the file, size, place in ``segment_ids``, offset in the stream)
Piece = tuple[Count, Count, Count, Count]


class Places(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The places of a batch's files, as columns.

    ``segments`` and ``stream_offsets_bytes`` have one element for each entry, or none at all: a file with a segment
    there lies in it as a whole.
    """

    #: What the others refer to.
    segment_ids: Sequence[HexId] = []
    segments: list[Segment] = []
    stream_offsets_bytes: list[Count] = []
    #: By name, of files that lie in several places, or are not covered by one.
    pieces: dict[str, list[Piece]] = {}
    #: In a tree part alone, by name: the map parts that have a file's pieces (``map_parts``).
    maps: dict[str, list[Digest]] = {}

    def of(self, place: int, name: str, data_bytes: int) -> Iterator[Place]:
        """The places of the file at ``place`` in the batch, ascending; none for a file that has none."""
        segment = self.segments[place] if self.segments else NO_SEGMENT
        if segment != NO_SEGMENT:
            yield Place(self.segment_ids[segment], self.stream_offsets_bytes[place], 0, data_bytes)
            return
        for offset_bytes, piece_bytes, number, stream_offset_bytes in self.pieces.get(name, ()):
            yield Place(self.segment_ids[number], stream_offset_bytes, offset_bytes, piece_bytes)

    def has(self, place: int, name: str) -> bool:
        """Whether anything says where the file at ``place`` is."""
        return (bool(self.segments) and self.segments[place] != NO_SEGMENT) or name in self.pieces


NO_PLACES = Places()


class PlacesWriter:
    """Collects the places of one batch's files, in the order of its entries."""

    def __init__(self, entries_count: int) -> None:
        self._numbers: dict[str, int] = {}
        self._segments = [NO_SEGMENT] * entries_count
        self._stream_offsets_bytes = [0] * entries_count
        self._pieces: dict[str, list[Piece]] = {}

    @property
    def is_empty(self) -> bool:
        return not (self._numbers or self._pieces)

    def add_whole(self, place: int, segment_id: str, stream_offset_bytes: int) -> None:
        """All of the file at ``place`` lies there."""
        self._segments[place] = self._number(segment_id)
        self._stream_offsets_bytes[place] = stream_offset_bytes

    def take_over(self, places: Places, entries: Iterable[int]) -> None:
        """Those of the entries, of the same batch, that lie in one segment lie where ``places`` says."""
        segments, of = places.segments, dict[int, int]()
        for entry in entries if segments else ():
            number = segments[entry]
            if number == NO_SEGMENT:
                continue
            if number not in of:
                of[number] = self._number(places.segment_ids[number])
            self._segments[entry] = of[number]
            self._stream_offsets_bytes[entry] = places.stream_offsets_bytes[entry]

    def add(self, place: int, name: str, data_bytes: int, found: Sequence[Place]) -> None:
        """The places of one file that has so much data, ascending, none of them overlapping."""
        if len(found) == 1 and found[0].offset_bytes == 0 and found[0].size_bytes == data_bytes:
            self.add_whole(place, found[0].segment_id, found[0].stream_offset_bytes)
        elif found:
            self._pieces[name] = [
                (one.offset_bytes, one.size_bytes, self._number(one.segment_id), one.stream_offset_bytes)
                for one in found
            ]

    def places(self) -> Places:
        if self.is_empty:
            return NO_PLACES
        return Places(
            segment_ids=list(self._numbers),
            segments=self._segments,
            stream_offsets_bytes=self._stream_offsets_bytes,
            pieces=self._pieces,
        )

    def _number(self, segment_id: str) -> int:
        return self._numbers.setdefault(segment_id, len(self._numbers))
