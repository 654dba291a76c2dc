"""Takes over the places of a whole batch at once, where nothing in it differs from the parent.

On most days that is nearly all of a tree.  Comparing columns costs a tenth of comparing file by file.  Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from producer.backup.parent.unchanged import Rules
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_PLACES, NO_SEGMENT, Places

_V = TypeVar("_V")


def places_of_same(
    batch: EntryBatch, parent: Sequence[EntryBatch], rules: Rules, whole: Collection[str]
) -> Places | None:
    """The places of all files of ``batch``; None where file by file has to be looked at.

    ``parent``: the parent's entries of the same directory, in order.  ``whole``: the segments that devices have as a
    whole.  It may say None though nothing differs, as for files in several places.
    """
    if not (_are_plain(parent) and _is_same(batch, parent, rules)):
        return None
    numbers: dict[str, int] = {}
    segments: list[int] = []
    offsets_bytes: list[int] = []
    for before in parent:
        found = _segments_of(before, numbers, whole)
        if found is None:
            return None
        segments += found
        offsets_bytes += before.places.stream_offsets_bytes or [0] * len(before)
    if not numbers:
        return NO_PLACES
    return Places(segment_ids=list(numbers), segments=segments, stream_offsets_bytes=offsets_bytes)


def _segments_of(before: EntryBatch, numbers: dict[str, int], whole: Collection[str]) -> list[int] | None:
    """The segment of each entry, as a place in ``numbers``, which grows; None where a file has none that is whole."""
    segments = before.places.segments
    if not segments:
        return None if max(before.sizes_bytes) > 0 else [NO_SEGMENT] * len(before)
    of = {NO_SEGMENT: NO_SEGMENT}
    for number in dict.fromkeys(segments):
        if number != NO_SEGMENT:
            segment_id = before.places.segment_ids[number]
            if segment_id not in whole:
                return None
            of[number] = numbers.setdefault(segment_id, len(numbers))
    # Folders, links and empty files have none.
    if any(size_bytes > 0 for size_bytes, number in zip(before.sizes_bytes, segments, strict=True) if number < 0):
        return None
    return [of[number] for number in segments]


def _are_plain(parent: Sequence[EntryBatch]) -> bool:
    """Whether each file lies in one place, and was read as a whole."""
    return not any(one.places.pieces or one.unread or one.unsettled for one in parent)


def _is_same(batch: EntryBatch, parent: Sequence[EntryBatch], rules: Rules) -> bool:
    """Whether :meth:`Rules.is_same` holds for each file, and all other entries are of the same name and kind."""
    if batch.kinds != "".join(one.kinds for one in parent):
        return False
    ctimes_ns = _of_files(batch, batch.ctimes_ns)
    changed_ns = ctimes_ns if rules.compares_ctime else _of_files(batch, batch.mtimes_ns)
    return (
        batch.names == joined_columns(one.names for one in parent)
        and batch.sizes_bytes == joined_columns(one.sizes_bytes for one in parent)
        and _of_files(batch, batch.mtimes_ns) == joined_columns(_of_files(one, one.mtimes_ns) for one in parent)
        and (not rules.compares_ctime or ctimes_ns == joined_columns(_of_files(one, one.ctimes_ns) for one in parent))
        and (not rules.compares_inode or batch.inodes == joined_columns(one.inodes for one in parent))
        and batch.data_ranges == {name: ranges for one in parent for name, ranges in one.data_ranges.items()}
        and rules.are_settled(changed_ns)
    )


def _of_files(batch: EntryBatch, column: list[int]) -> list[int]:
    if batch.kinds.count("f") == len(batch):
        return column
    return [value for value, kind in zip(column, batch.kinds, strict=True) if kind == "f"]


def joined_columns(columns: Iterable[list[_V]]) -> list[_V]:
    """The columns of consecutive batches as one."""
    found = list(columns)
    return found[0] if len(found) == 1 else list(chain.from_iterable(found))
