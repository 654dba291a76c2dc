"""The extents of a planned segment, made from its range of entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct

from producer.listing.compared import extents_at, former_of
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_SEGMENT, Place
from tasks.sources.states import WalkedStates
from tasks.values import Extents


class SegmentContents(Struct, frozen=True, kw_only=True):
    """The extents of one segment in stored order; ``entries[i]`` is the entry index of extent ``i``.

    ``states`` has what the walk saw of each.  ``sparse``: which extents, by index, are of files with holes, or parts of
    bundled files.  ``former``: where an earlier segment has what each extent held, empty where nothing is compared.
    """

    source: str
    extents: Extents
    entries: list[int]
    states: WalkedStates
    sparse: list[int]
    former: list[Place | None]

    def at(self, indexes: Sequence[int]) -> SegmentContents:
        """The contents with only these extents, in this order.  Of a part of a file that is left the rest is not."""
        places = {index: place for place, index in enumerate(indexes)}
        return SegmentContents(
            source=self.source,
            extents=self.extents.at(indexes),
            entries=[self.entries[index] for index in indexes],
            states=self.states.at(indexes),
            sparse=sorted(places[index] for index in self.sparse if index in places),
            former=[self.former[index] for index in indexes],
        )


class BatchExtents(NamedTuple):
    """The extents of a segment in one batch, as columns: the place of each in the batch, and its range of the file.

    ``former`` as in :class:`SegmentContents`, of files that are compared; empty where none is.
    """

    batch: EntryBatch
    places: list[int]
    offsets_bytes: list[int]
    sizes_bytes: list[int]
    former: list[Place | None]


def extents_of(
    batches: Iterable[EntryBatch],
    *,
    first_entry: int,
    stop_entry: int,
    offset_bytes: int,
    size_bytes: int,
    bundle_limit_bytes: int,
) -> SegmentContents:
    """The contents of the planned segment over entries ``[first_entry, stop_entry)``.

    A range of one entry is a piece: ``size_bytes`` from ``offset_bytes`` of that file.  A longer range is a
    bundle: every regular file in it with 0 < size <= ``bundle_limit_bytes`` that has no place yet, whole.  All of
    these count bytes of data, as if there were no holes (:mod:`producer.listing.data_ranges`).  ``batches`` are in
    entry order, and may reach beyond the range; those of which nothing is stored may be missing.  Raises ValueError
    when they cross sources, or when the extents do not add up to ``size_bytes``.
    """
    inside = [batch for batch in batches if batch.first_entry < stop_entry and batch.stop_entry > first_entry]
    if len({batch.source for batch in inside}) != 1:
        raise ValueError(f"entries {first_entry} to {stop_entry} belong to several sources, or to none")
    found = list(
        extents_by_batch(
            inside,
            first_entry=first_entry,
            stop_entry=stop_entry,
            offset_bytes=offset_bytes,
            size_bytes=size_bytes,
            bundle_limit_bytes=bundle_limit_bytes,
        )
    )
    contents = contents_of(found, is_piece=stop_entry - first_entry == 1)
    if contents.extents.total_bytes != size_bytes:
        raise ValueError(
            f"entries {first_entry} to {stop_entry} hold {contents.extents.total_bytes} bytes from {offset_bytes} on, "
            f"planned were {size_bytes}"
        )
    return contents


def extents_by_batch(
    batches: Iterable[EntryBatch],
    *,
    first_entry: int,
    stop_entry: int,
    offset_bytes: int,
    size_bytes: int,
    bundle_limit_bytes: int,
) -> Iterator[BatchExtents]:
    """As :func:`extents_of`, batch by batch and unchecked."""
    is_piece = stop_entry - first_entry == 1
    for batch in batches:
        if is_piece:
            yield _part(batch, first_entry - batch.first_entry, offset_bytes, offset_bytes + size_bytes)
            continue
        places = bundled_places(batch, first_entry, stop_entry, bundle_limit_bytes)
        if batch.data_ranges or batch.former.segment_ids:
            yield _joined(batch, [_part(batch, place, 0, batch.data_bytes_at(place)) for place in places])
        else:
            yield BatchExtents(batch, places, [0] * len(places), [batch.sizes_bytes[place] for place in places], [])


def bundled_places(batch: EntryBatch, first_entry: int, stop_entry: int, limit_bytes: int) -> list[int]:
    """The places in the batch of the files that a bundle over these entries holds."""
    start, stop = max(0, first_entry - batch.first_entry), max(0, stop_entry - batch.first_entry)
    sizes = batch.stored_sizes_bytes[start:stop]
    # Those that have places are in segments of earlier snapshots.
    numbers, pieces = batch.places.segments[start:stop] or [NO_SEGMENT] * len(sizes), batch.places.pieces
    found = [
        place
        for place, (size_bytes, number) in enumerate(zip(sizes, numbers, strict=True), start)
        if number == NO_SEGMENT and 0 < size_bytes <= limit_bytes
    ]
    return [place for place in found if batch.names[place] not in pieces] if pieces else found


def _part(batch: EntryBatch, place: int, start_bytes: int, stop_bytes: int) -> BatchExtents:
    """The extents of a part of one file's data."""
    former = former_of(batch, place)
    found = extents_at(batch, place, start_bytes, stop_bytes, former)
    sizes_bytes = [size for _, size in found]
    starts_bytes = accumulate(sizes_bytes, initial=start_bytes)
    known: list[Place | None] = []
    if former is not None:
        known = [former.at(start, size) for start, size in zip(starts_bytes, sizes_bytes, strict=False)]
    return BatchExtents(batch, [place] * len(found), [offset for offset, _ in found], sizes_bytes, known)


def _joined(batch: EntryBatch, parts: Sequence[BatchExtents]) -> BatchExtents:
    is_compared = any(part.former for part in parts)
    former = [one for part in parts for one in part.former or [None] * len(part.places)] if is_compared else []
    return BatchExtents(
        batch,
        [place for part in parts for place in part.places],
        [offset for part in parts for offset in part.offsets_bytes],
        [size for part in parts for size in part.sizes_bytes],
        former,
    )


def contents_of(found: list[BatchExtents], *, is_piece: bool) -> SegmentContents:
    """These extents as one segment; raises IndexError when there is no batch."""
    paths: list[str] = []
    offsets_bytes: list[int] = []
    sizes_bytes: list[int] = []
    entries: list[int] = []
    sparse: list[int] = []
    former: list[Place | None] = []
    for batch, places, batch_offsets_bytes, batch_sizes_bytes, batch_former in found:
        if batch_former:
            former += [None] * (len(paths) - len(former)) + batch_former
        if batch.data_ranges or batch_former:
            sparse += [
                index for index, is_part in enumerate(_are_parts(batch, places, is_piece), len(paths)) if is_part
            ]
        prefix, names = batch.prefix, batch.names
        paths += [prefix + names[place] for place in places]
        offsets_bytes += batch_offsets_bytes
        sizes_bytes += batch_sizes_bytes
        entries += [batch.first_entry + place for place in places]
    return SegmentContents(
        source=found[0].batch.source,
        extents=Extents(paths=tuple(paths), offsets_bytes=tuple(offsets_bytes), sizes_bytes=tuple(sizes_bytes)),
        entries=entries,
        states=_states(found),
        sparse=sparse,
        former=former + [None] * (len(paths) - len(former)) if former else [],
    )


def _are_parts(batch: EntryBatch, places: list[int], is_piece: bool) -> Iterator[bool]:
    """Whether each extent is of a file with holes, or a part of a bundled one."""
    counts = {} if is_piece else Counter(places)
    return (batch.has_holes(place) or counts.get(place, 1) > 1 for place in places)


def _states(found: list[BatchExtents]) -> WalkedStates:
    """What the walk saw of the file of each extent."""
    return WalkedStates(
        mtimes_ns=[batch.mtimes_ns[place] for batch, places, *_ in found for place in places],
        ctimes_ns=[batch.ctimes_ns[place] for batch, places, *_ in found for place in places],
        modes=[batch.modes[place] for batch, places, *_ in found for place in places],
        uids=[batch.uids[place] for batch, places, *_ in found for place in places],
        gids=[batch.gids[place] for batch, places, *_ in found for place in places],
    )
