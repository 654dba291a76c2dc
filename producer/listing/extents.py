"""The extents of a planned segment, made from its range of entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from producer.listing.entry import EntryBatch
from tasks.states import WalkedStates
from tasks.values import Extents


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentContents:
    """The extents of one segment in stored order; ``entries[i]`` is the entry index of extent ``i``.

    ``states`` has what the walk saw of each.
    """

    source: str
    extents: Extents
    entries: list[int]
    states: WalkedStates


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
    bundle: every regular file in it with 0 < size <= ``bundle_limit_bytes``, whole.  ``batches`` are in
    entry order and cover the range (they may reach beyond it).  Raises ValueError when they do not cover
    it, or cross sources, or when the extents do not add up to ``size_bytes``.
    """
    inside = [batch for batch in batches if batch.first_entry < stop_entry and batch.stop_entry > first_entry]
    _check_cover(inside, first_entry, stop_entry)
    if stop_entry - first_entry == 1:
        return _piece(inside[0], first_entry, offset_bytes, size_bytes)
    contents = _bundle(inside, first_entry, stop_entry, bundle_limit_bytes)
    if contents.extents.total_bytes != size_bytes:
        raise ValueError(
            f"bundle over entries {first_entry} to {stop_entry} holds {contents.extents.total_bytes} bytes, "
            f"planned were {size_bytes}"
        )
    return contents


def _check_cover(batches: list[EntryBatch], first_entry: int, stop_entry: int) -> None:
    covered_to = first_entry
    for batch in batches:
        if batch.first_entry > covered_to:
            break
        covered_to = batch.stop_entry
    if covered_to < stop_entry:
        raise ValueError(f"the batches do not cover entries {first_entry} to {stop_entry}")
    if len({batch.source for batch in batches}) > 1:
        raise ValueError(f"entries {first_entry} to {stop_entry} belong to several sources")


def _piece(batch: EntryBatch, entry: int, offset_bytes: int, size_bytes: int) -> SegmentContents:
    place = entry - batch.first_entry
    if offset_bytes + size_bytes > batch.sizes_bytes[place]:
        raise ValueError(f"entry {entry} has no bytes {offset_bytes} to {offset_bytes + size_bytes}")
    extents = Extents(paths=(batch.path_at(place),), offsets_bytes=(offset_bytes,), sizes_bytes=(size_bytes,))
    return SegmentContents(source=batch.source, extents=extents, entries=[entry], states=_states([(batch, [place])]))


def _bundle(batches: list[EntryBatch], first_entry: int, stop_entry: int, limit_bytes: int) -> SegmentContents:
    paths: list[str] = []
    sizes_bytes: list[int] = []
    entries: list[int] = []
    chosen: list[tuple[EntryBatch, list[int]]] = []
    for batch in batches:
        start = max(0, first_entry - batch.first_entry)
        sizes = batch.sizes_bytes[start : stop_entry - batch.first_entry]
        places = [place for place, size in enumerate(sizes, start) if 0 < size <= limit_bytes]
        prefix, names = batch.prefix, batch.names
        paths += [prefix + names[place] for place in places]
        sizes_bytes += [batch.sizes_bytes[place] for place in places]
        entries += [batch.first_entry + place for place in places]
        chosen.append((batch, places))
    extents = Extents(paths=tuple(paths), offsets_bytes=(0,) * len(paths), sizes_bytes=tuple(sizes_bytes))
    return SegmentContents(source=batches[0].source, extents=extents, entries=entries, states=_states(chosen))


def _states(chosen: list[tuple[EntryBatch, list[int]]]) -> WalkedStates:
    """What the walk saw of the files at these places of the batches."""
    return WalkedStates(
        mtimes_ns=[batch.mtimes_ns[place] for batch, places in chosen for place in places],
        ctimes_ns=[batch.ctimes_ns[place] for batch, places in chosen for place in places],
        modes=[batch.modes[place] for batch, places in chosen for place in places],
        uids=[batch.uids[place] for batch, places in chosen for place in places],
        gids=[batch.gids[place] for batch, places in chosen for place in places],
    )
