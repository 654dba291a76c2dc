"""The extents that heal a segment: what unchanged files still have of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from producer.listing.compared import Former, extents_at
from producer.listing.entry import EntryBatch
from producer.listing.extents import BatchExtents, SegmentContents, contents_of
from producer.listing.places.places import Place
from producer.listing.places.stored_ranges import united, without


def healing_contents(
    batches: Iterable[EntryBatch], segment_id: str, held: Sequence[tuple[int, int]]
) -> Iterator[SegmentContents]:
    """What the files still have of the segment, in the order of its stream, once; for each source that has any.

    ``held``: the ranges of the stream that a device has.  ``former`` says where in the segment each extent belongs.
    """
    for _, of_source in groupby(batches, lambda batch: batch.source):
        contents = _of_source(of_source, segment_id, held)
        if contents is not None:
            yield contents
            held = united([*held, *ranges_of(contents)])


def ranges_of(contents: SegmentContents) -> Iterator[tuple[int, int]]:
    """Where in the stream of the segment these extents lie."""
    return ((one.stream_offset_bytes, one.size_bytes) for one in contents.former if one is not None)


def _of_source(
    batches: Iterable[EntryBatch], segment_id: str, held: Sequence[tuple[int, int]]
) -> SegmentContents | None:
    found = [
        extents
        for batch in batches
        if segment_id in batch.places.segment_ids
        for place in _placed(batch, segment_id)
        if (extents := _of_file(batch, place, segment_id, held)).places
    ]
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
