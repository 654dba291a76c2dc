"""Takes over the places of a whole batch at once, where nothing in it differs from the parent.

On most days that is nearly all of a tree.  Comparing columns costs a tenth of comparing file by file.  Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from producer.backup.parent.unchanged import Rules
from producer.listing.entry import EntryBatch
from producer.listing.places import NO_SEGMENT, Places, PlacesWriter

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
    writer, first = PlacesWriter(len(batch)), 0
    for before in parent:
        places, ids = before.places, before.places.segment_ids
        if not places.segments and max(before.sizes_bytes) > 0:
            return None
        rows = zip(before.sizes_bytes, places.segments, places.stream_offsets_bytes, strict=bool(places.segments))
        for place, (size_bytes, segment, offset_bytes) in enumerate(rows, first):
            if size_bytes > 0:
                if segment == NO_SEGMENT or ids[segment] not in whole:
                    return None
                writer.add_whole(place, ids[segment], offset_bytes)
        first += len(before)
    return writer.places()


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
        batch.names == _joined(one.names for one in parent)
        and batch.sizes_bytes == _joined(one.sizes_bytes for one in parent)
        and _of_files(batch, batch.mtimes_ns) == _joined(_of_files(one, one.mtimes_ns) for one in parent)
        and (not rules.compares_ctime or ctimes_ns == _joined(_of_files(one, one.ctimes_ns) for one in parent))
        and (not rules.compares_inode or batch.inodes == _joined(one.inodes for one in parent))
        and batch.data_ranges == {name: ranges for one in parent for name, ranges in one.data_ranges.items()}
        and rules.are_settled(changed_ns)
    )


def _of_files(batch: EntryBatch, column: list[int]) -> list[int]:
    if batch.kinds.count("f") == len(batch):
        return column
    return [value for value, kind in zip(column, batch.kinds, strict=True) if kind == "f"]


def _joined(columns: Iterable[list[_V]]) -> list[_V]:
    found = list(columns)
    return found[0] if len(found) == 1 else list(chain.from_iterable(found))
