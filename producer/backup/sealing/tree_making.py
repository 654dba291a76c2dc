"""Makes tree parts of sealed batches, and takes over those of the parent in which nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from producer.catalog.tree import PartReference
from producer.listing.columns import cut
from producer.listing.entry import EntryBatch
from producer.listing.tree_parts import TreePart, TreeWriter

#: The number of its source, and the part.
_Placed = tuple[int, TreePart | PartReference]


class TreeMaking:
    """Parts are the same whether they are made or taken over.

    Where a part ends depends on what follows, and on where it began.  So of known parts in a row the first is made:
    when it turns out to begin where the known one does, those after it follow as they are.  The last is made again, for
    what follows it may be new.
    """

    def __init__(self, sources: Sequence[str], known: Sequence[PartReference]) -> None:
        """``known``: parts in order, at their places among the entries of this snapshot."""
        self._numbers = {name: number for number, name in enumerate(sources)}
        self._known = known
        #: First entry → the place in ``known`` of a part that follows one and is followed by one.
        self._inner = {
            part.first_entry: place
            for place, part in enumerate(known)
            if 0 < place < len(known) - 1 and _follow(known[place - 1], part) and _follow(part, known[place + 1])
        }
        self._writer = TreeWriter()
        self._source = ""
        #: The entries before this one have their parts; batches that end there need not be given.
        self.done_entries = 0

    def add(self, batch: EntryBatch) -> Iterator[_Placed]:
        """Add the next batch; yields the parts that it completes."""
        stop = batch.stop_entry
        entry = max(batch.first_entry, self.done_entries)
        while entry < stop:
            if entry in self._inner and self._is_in_step(self._inner[entry]):
                yield from self._take_over(self._inner[entry])
                entry = self.done_entries
                continue
            until = next((at for at in range(entry + 1, stop) if at in self._inner), stop) if self._inner else stop
            yield from self._make(cut(batch, entry - batch.first_entry, until - batch.first_entry))
            entry = until

    def flush(self) -> Iterator[_Placed]:
        """Yields the last part, if there is one."""
        for part in self._writer.flush():
            yield self._numbers[self._source], part

    def _make(self, batch: EntryBatch) -> Iterator[_Placed]:
        # The first batch of a source ends the last part of the one before.
        for part in self._writer.add(batch):
            yield self._numbers[self._source], part
        self._source = batch.source

    def _is_in_step(self, place: int) -> bool:
        """Whether the part that is being made is the known one before this."""
        return self._writer.open_entries_count == self._known[place - 1].entries_count

    def _take_over(self, place: int) -> Iterator[_Placed]:
        yield from self.flush()
        number = self._numbers[self._source]
        while place + 1 < len(self._known) and _follow(self._known[place], self._known[place + 1]):
            yield number, replace(self._known[place], source=number)
            place += 1
        self.done_entries = self._known[place].first_entry


def _follow(one: PartReference, other: PartReference) -> bool:
    """Whether the second part follows the first, in one source."""
    return one.source == other.source and one.first_entry + one.entries_count == other.first_entry
