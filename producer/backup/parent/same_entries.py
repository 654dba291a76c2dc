"""Which parts of the parent's tree a snapshot takes over as they are, because no entry in them differs.  Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

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
    """Notes the entries that are the parent's.  Memory: a few numbers for each place that has changed."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, batch: EntryBatch, before: EntryBatch) -> None:
        """A batch of the walk that is as the parent's; to be called in the order of the walk."""
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

    def parts(self, parent: Sequence[PartReference]) -> list[PartReference]:
        """The parts of the parent's tree that consist of such entries, at their places in the walk; in order.

        Their ``source`` is still the parent's.
        """
        starts = [part.first_entry for part in parent]
        found = []
        for run in self._runs:
            stop_entry = run.parent_first_entry + run.entries_count
            for part in parent[bisect_left(starts, run.parent_first_entry) :]:
                if part.first_entry + part.entries_count > stop_entry:
                    break
                moved = part.first_entry - run.parent_first_entry + run.first_entry
                found.append(replace(part, first_entry=moved))
        return found
