"""Which parts of the parent's tree a snapshot takes over: as they are, or with some entries changed.  Pure.

Where parts end depends on names alone.  So where the names are the parent's, the parts are too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice, takewhile

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.known_parts import KnownPart
from producer.catalog.tree import PartReference
from producer.listing.columns import sealed_ctimes_ns
from producer.listing.entry import EntryBatch
from tasks.sources.metadata import Attributes


def is_as_sealed(batch: EntryBatch, before: EntryBatch) -> bool:
    """Whether a seal would make the parent's entries out of this batch, whose files are all unchanged."""
    return (
        batch.modes == before.modes
        and batch.uids == before.uids
        and batch.gids == before.gids
        and batch.mtimes_ns == before.mtimes_ns
        and sealed_ctimes_ns(batch) == before.ctimes_ns
        and batch.inodes == before.inodes
        and batch.births_ns == before.births_ns
        and batch.links == before.links
        and batch.device_numbers == before.device_numbers
        and batch.flags == before.flags
        and _attributes(batch) == _attributes(before)
    )


def _attributes(batch: EntryBatch) -> Mapping[str, Attributes]:
    return {name: batch.attribute_sets[number] for name, number in batch.attributes.items()}


class _Run(Struct, kw_only=True):
    """Entries that follow each other in the walk and in the parent."""

    first_entry: int
    parent_first_entry: int
    entries_count: int


class SameEntries:
    """Notes the entries that the parent has, too.  Memory: a few numbers for each place that has changed."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._changed: list[tuple[int, int]] = []

    def add(self, batch: EntryBatch, before: EntryBatch, *, is_same: bool = True) -> None:
        """A batch of the walk with the names of the parent's; to be called in the order of the walk.

        ``is_same``: see :func:`is_as_sealed`; a batch that differs may only have columns that the other has as well.
        """
        if not is_same:
            self._changed.append((batch.first_entry, batch.stop_entry))
        last = self._runs[-1] if self._runs else None
        first, parent_first = batch.first_entry, before.first_entry
        follows = last is not None and (first, parent_first) == (
            last.first_entry + last.entries_count,
            last.parent_first_entry + last.entries_count,
        )
        # A source begins with a part of its own, and may have had another number.
        if last is not None and follows and batch.names != [""]:
            last.entries_count += len(batch)
        else:
            self._runs.append(_Run(first_entry=first, parent_first_entry=parent_first, entries_count=len(batch)))

    def parts(self, parent: Sequence[PartReference]) -> list[KnownPart]:
        """The parts of the parent's tree that consist of such entries, at their places in the walk; in order."""
        starts = [part.first_entry for part in parent]
        found = []
        for run in self._runs:
            stop_entry = run.parent_first_entry + run.entries_count
            for part in parent[bisect_left(starts, run.parent_first_entry) :]:
                if part.first_entry + part.entries_count > stop_entry:
                    break
                moved = part.first_entry - run.parent_first_entry + run.first_entry
                changed = self._changed_in(moved, moved + part.entries_count)
                found.append(KnownPart(part=replace(part, first_entry=moved), changed=changed))
        return found

    def _changed_in(self, first_entry: int, stop_entry: int) -> tuple[tuple[int, int], ...]:
        begin = bisect_right(self._changed, first_entry, key=lambda one: one[1])
        return tuple(takewhile(lambda one: one[0] < stop_entry, islice(self._changed, begin, None)))


def has_same_names(batch: EntryBatch, before: EntryBatch) -> bool:
    """Whether ``batch`` can be put into a part in the place of ``before``: the names, and the columns there are."""
    return (
        batch.names == before.names
        and bool(batch.inodes) == bool(before.inodes)
        and bool(batch.births_ns) == bool(before.births_ns)
    )
