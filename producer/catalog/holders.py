"""Which object a reader takes each range of a segment from.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import without


class Held(NamedTuple):
    """A part of a place that an object holds."""

    #: Where it begins, counted from the beginning of the place.
    offset_bytes: int
    #: Where it begins in the object's own stream.
    stream_offset_bytes: int
    size_bytes: int


class Holder(Struct, frozen=True, kw_only=True):
    """An object, and what is to be read from it: ``ranges`` (offset, size) of the segment's stream, ascending."""

    object: StoredObject
    ranges: tuple[tuple[int, int], ...]

    @property
    def is_plain(self) -> bool:
        """Whether it has the whole segment: then an offset in the segment's stream is one in its own."""
        return self.object.is_whole and self.ranges == self.object.ranges

    def parts_of(self, stream_offset_bytes: int, size_bytes: int) -> Iterator[Held]:
        """The parts of a place that are to be read here, ascending."""
        stop_bytes = stream_offset_bytes + size_bytes
        for start, length in self.ranges:
            first, last = max(start, stream_offset_bytes), min(start + length, stop_bytes)
            if first < last:
                yield Held(first - stream_offset_bytes, self._own_offset(first), last - first)

    def _own_offset(self, offset_bytes: int) -> int:
        """Where a byte of the segment's stream is in the object's own; its ranges are of the object's."""
        before_bytes = 0
        for start, length in self.object.ranges:
            if offset_bytes < start + length:
                return before_bytes + offset_bytes - start
            before_bytes += length
        raise ValueError("a range that the object does not hold")


def holders_of(
    objects: Iterable[StoredObject],
    device_ids: Collection[str] | None = None,
    is_made: Callable[[StoredObject], bool] = lambda one: False,
) -> list[Holder]:
    """One object after the other with what none before it has, so that each byte is read once.

    In the order given, but those on one of ``device_ids`` first, then those that ``is_made`` says parity gives.
    """
    ordered = list(objects)
    if device_ids is not None:
        there = device_ids

        def rank(one: StoredObject) -> int:
            if one.device_id in there and not one.is_damaged:
                return 0
            return 1 if is_made(one) else 2 if one.device_id in there else 3

        ordered.sort(key=rank)
    found: list[Holder] = []
    taken: list[tuple[int, int]] = []
    for one in ordered:
        ranges = without(one.ranges, taken)
        if ranges:
            found.append(Holder(object=one, ranges=tuple(ranges)))
            taken = sorted([*taken, *ranges])
    return found


def by_segment(objects: Iterable[StoredObject]) -> dict[str, list[StoredObject]]:
    """The objects of each segment, in the order given."""
    found: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for one in objects:
        found[one.segment_id].append(one)
    return dict(found)


def lacking(index: Mapping[str, Sequence[StoredObject]], gone: Callable[[StoredObject], bool]) -> set[str]:
    """The segments of which something lies in objects that are gone, and in no other."""
    found = set()
    for segment_id, objects in index.items():
        there = [one for one in objects if not gone(one)]
        held = ranges_of(there)
        if len(there) < len(objects) and any(without(one.ranges, held) for one in objects):
            found.add(segment_id)
    return found


def ranges_of(objects: Iterable[StoredObject]) -> list[tuple[int, int]]:
    """The ranges that the objects hold together, apart and ascending."""
    return sorted(found for holder in holders_of(objects) for found in holder.ranges)
