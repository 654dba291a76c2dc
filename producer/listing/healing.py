"""The extents that heal a segment: what unchanged files still have of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from producer.listing.compared import Former, extents_at
from producer.listing.entry import EntryBatch
from producer.listing.extents import BatchExtents, SegmentContents, contents_of
from producer.listing.places import Place
from producer.listing.stored_ranges import without


def healing_contents(
    batches: Iterable[EntryBatch], segment_id: str, held: Sequence[tuple[int, int]]
) -> SegmentContents | None:
    """What files of the first source that has any still have of the segment, in the order of its stream, once.

    ``held``: the ranges of the stream that a device has.  ``former`` says where in the segment each extent belongs.
    None when there is nothing.
    """
    found: list[BatchExtents] = []
    for batch in batches:
        if segment_id in batch.places.segment_ids and (not found or batch.source == found[0].batch.source):
            found += [_of_file(batch, place, segment_id, held) for place in _placed(batch, segment_id)]
    found = [one for one in found if one.places]
    if not found:
        return None
    contents = contents_of(found, is_piece=False)
    return contents.at(_in_stream_order(contents.former))


def _placed(batch: EntryBatch, segment_id: str) -> Iterator[int]:
    for place, kind in enumerate(batch.kinds):
        if kind == "f" and any(one.segment_id == segment_id for one in batch.places_of(place)):
            yield place


def _of_file(batch: EntryBatch, place: int, segment_id: str, held: Sequence[tuple[int, int]]) -> BatchExtents:
    """Cut at cells, whose digests are known."""
    former, start_bytes = Former(list(batch.places_of(place))), 0
    kept: list[tuple[int, int, Place]] = []
    for offset_bytes, size_bytes in extents_at(batch, place, 0, batch.data_bytes_at(place), former):
        where = former.at(start_bytes, size_bytes)
        if where is not None and where.segment_id == segment_id and _lacks(where, held):
            kept.append((offset_bytes, size_bytes, where))
        start_bytes += size_bytes
    places, offsets, sizes = [place] * len(kept), [one[0] for one in kept], [one[1] for one in kept]
    return BatchExtents(batch, places, offsets, sizes, [one[2] for one in kept])


def _in_stream_order(former: Sequence[Place | None]) -> list[int]:
    """The indexes of the extents, without those that an earlier one overlaps: two files may share a place."""
    order = sorted((one.stream_offset_bytes, index) for index, one in enumerate(former) if one is not None)
    kept, stop_bytes = [], 0
    for offset_bytes, index in order:
        one = former[index]
        if one is not None and offset_bytes >= stop_bytes:
            kept.append(index)
            stop_bytes = offset_bytes + one.size_bytes
    return kept


def _lacks(place: Place, held: Sequence[tuple[int, int]]) -> bool:
    return bool(without([(place.stream_offset_bytes, place.size_bytes)], held))
