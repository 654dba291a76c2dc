"""Cuts batches of entries, and joins them: the columns of the result depend on its entries only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from msgspec.structs import replace

from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_PLACES, NO_SEGMENT, Places
from tasks.sources.metadata import Attributes

_V = TypeVar("_V")

#: One element for each entry; the last two may be missing as a whole.
_LISTS = ("names", "modes", "uids", "gids", "mtimes_ns", "ctimes_ns", "sizes_bytes", "inodes", "births_ns")
_BY_NAME = ("links", "device_numbers", "data_ranges", "flags", "unread")


def cut(batch: EntryBatch, start: int, stop: int) -> EntryBatch:
    """Entries [start, stop) of the batch, counted in the batch."""
    if start == 0 and stop == len(batch):
        return batch
    names = batch.names[start:stop]
    columns: dict[str, Any] = {name: getattr(batch, name)[start:stop] for name in _LISTS}
    columns |= {name: _chosen(getattr(batch, name), names) for name in _BY_NAME}
    columns["unsettled"] = _listed(batch.unsettled, names)
    attributes, attribute_sets = _shared([(_chosen(batch.attributes, names), batch.attribute_sets)])
    return replace(
        batch,
        first_entry=batch.first_entry + start,
        kinds=batch.kinds[start:stop],
        attributes=attributes,
        attribute_sets=attribute_sets,
        places=_cut_places(batch.places, start, stop, names),
        **columns,
    )


def joined(batches: Sequence[EntryBatch]) -> EntryBatch:
    """Consecutive batches of one directory as one."""
    if len(batches) == 1:
        return batches[0]
    columns: dict[str, Any] = {name: list(chain(*(getattr(one, name) for one in batches))) for name in _LISTS}
    columns |= {name: {key: value for one in batches for key, value in getattr(one, name).items()} for name in _BY_NAME}
    columns["unsettled"] = [name for one in batches for name in one.unsettled]
    attributes, attribute_sets = _shared([(one.attributes, one.attribute_sets) for one in batches])
    return replace(
        batches[0],
        kinds="".join(one.kinds for one in batches),
        attributes=attributes,
        attribute_sets=attribute_sets,
        places=_join_places(batches),
        **columns,
    )


def sealed_ctimes_ns(batch: EntryBatch) -> list[int]:
    """The times of change that are kept, of files alone: a folder's changes with all that is made in it."""
    if not batch.kinds.strip("f"):
        return batch.ctimes_ns
    return [time_ns if kind == "f" else 0 for kind, time_ns in zip(batch.kinds, batch.ctimes_ns, strict=True)]


def _chosen(values: Mapping[str, _V], names: Sequence[str]) -> dict[str, _V]:
    return {name: values[name] for name in names if name in values} if values else {}


def _listed(values: Sequence[str], names: Sequence[str]) -> list[str]:
    if not values:
        return []
    found = frozenset(values)
    return [name for name in names if name in found]


def _shared(
    columns: Sequence[tuple[Mapping[str, int], Sequence[Attributes]]],
) -> tuple[dict[str, int], list[Attributes]]:
    """The attributes of all entries, with each set once, in the order of the entries."""
    places: dict[str, int] = {}
    known: dict[frozenset[tuple[str, str]], int] = {}
    sets: list[Attributes] = []
    for attributes, attribute_sets in columns:
        for name, number in attributes.items():
            values = attribute_sets[number]
            place = known.setdefault(frozenset(values.items()), len(sets))
            if place == len(sets):
                sets.append(values)
            places[name] = place
    return places, sets


def _cut_places(places: Places, start: int, stop: int, names: Sequence[str]) -> Places:
    if places is NO_PLACES:
        return NO_PLACES
    return replace(
        places,
        segments=places.segments[start:stop],
        stream_offsets_bytes=places.stream_offsets_bytes[start:stop],
        pieces=_chosen(places.pieces, names),
    )


def _join_places(batches: Sequence[EntryBatch]) -> Places:
    numbers: dict[str, int] = {}
    places = [with_segment_ids(one.places, numbers) for one in batches]
    if not numbers:
        return NO_PLACES
    return Places(
        segment_ids=list(numbers),
        segments=list(
            chain(*(one.segments or [NO_SEGMENT] * len(batch) for one, batch in zip(places, batches, strict=True)))
        ),
        stream_offsets_bytes=list(
            chain(*(one.stream_offsets_bytes or [0] * len(batch) for one, batch in zip(places, batches, strict=True)))
        ),
        pieces={name: pieces for one in places for name, pieces in one.pieces.items()},
    )


def with_segment_ids(places: Places, numbers: dict[str, int]) -> Places:
    """The same places, that refer to a list of a whole part; ``numbers`` (id → place in it) grows."""
    if not places.segment_ids:
        return places
    of = [-1] * len(places.segment_ids)
    used = dict.fromkeys(chain(places.segments, (piece[2] for pieces in places.pieces.values() for piece in pieces)))
    for number in used:
        if number >= 0:
            of[number] = numbers.setdefault(places.segment_ids[number], len(numbers))
    of.append(-1)  # of NO_SEGMENT
    return Places(
        segments=[of[number] for number in places.segments],
        stream_offsets_bytes=places.stream_offsets_bytes,
        pieces={
            name: [(offset, size, of[number], stream) for offset, size, number, stream in pieces]
            for name, pieces in places.pieces.items()
        },
    )


def with_own_ids(places: Places) -> Places:
    """The same places, that refer to a list of what they need and nothing else, in the order of their entries."""
    if len(places.segment_ids) == 1 and 0 in places.segments:
        # As nearly all have it.
        return places
    numbers: dict[str, int] = {}
    found = with_segment_ids(places, numbers)
    return replace(found, segment_ids=list(numbers)) if numbers else NO_PLACES
