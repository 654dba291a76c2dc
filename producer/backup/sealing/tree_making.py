"""Makes tree parts of sealed batches, and takes over those of the parent whose names are the same."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, pairwise, takewhile

from msgspec.structs import replace

from producer.catalog.known_parts import KnownPart
from producer.catalog.tree import PartReference
from producer.listing.columns import cut
from producer.listing.entry import EntryBatch
from producer.listing.tree.patched_part import patched_part
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter

#: The number of its source, and the part.
_Placed = tuple[int, TreePart | PartReference]


class TreeMaking:
    """Parts are the same whether they are made or taken over.

    Where a part ends depends on what follows, and on where it began.  So of known parts in a row the first is made:
    when it turns out to begin where the known one does, those after it follow, and of their entries only those that
    differ are needed.  The last is made again, for what follows it may be new.
    """

    def __init__(self, sources: Sequence[str], known: Sequence[KnownPart], load: Callable[[bytes], bytes]) -> None:
        """``known``: parts in order, at their places among the entries of this snapshot.

        ``load`` gives a part or map part, by its digest, as it is stored.
        """
        self._numbers = {name: number for number, name in enumerate(sources)}
        self._known = known
        self._load = load
        #: First entry → the place in ``known`` of a part that follows one and is followed by one.
        self._inner = {
            part.first_entry: place
            for place, part in enumerate(known)
            if 0 < place < len(known) - 1 and _follow(known[place - 1], part) and _follow(part, known[place + 1])
        }
        #: The ranges of entries of all batches that differ; one may reach into several parts.
        self._differing = list(dict.fromkeys(chain.from_iterable(part.changed for part in known)))
        self._writer = TreeWriter()
        self._source = ""
        #: Known parts in a row that are being taken over, and what differs in the first of them.
        self._row = deque[KnownPart]()
        self._changed: list[EntryBatch] = []
        #: Of the entries before this one only those that differ are needed; batches may be left out without any.
        self.calm_entries = 0

    def needs(self, first_entry: int, stop_entry: int) -> bool:
        """Whether any of the entries [first, stop), which come next, must be given."""
        if stop_entry > self.calm_entries:
            return True
        place = bisect_right(self._differing, first_entry, key=lambda one: one[1])
        return place < len(self._differing) and self._differing[place][0] < stop_entry

    def add(self, batch: EntryBatch) -> Iterator[_Placed]:
        """Add the next batch; yields the parts that it completes."""
        entry, stop = batch.first_entry, batch.stop_entry
        while entry < stop:
            yield from self._take_over_to(entry)
            if entry in self._inner and not self._row and self._is_in_step(self._inner[entry]):
                yield from self._begin_row(self._inner[entry])
            until = min(stop, self._row[0].stop_entry) if self._row else self._next_inner(entry, stop)
            part = cut(batch, entry - batch.first_entry, until - batch.first_entry)
            if self._row:
                self._changed += [part] if self.needs(entry, until) else []
            else:
                yield from self._make(part)
            entry = until

    def flush(self) -> Iterator[_Placed]:
        """Yields what is left, if anything is."""
        yield from self._take_over_to(self.calm_entries)
        yield from self._made()

    def _next_inner(self, entry: int, stop: int) -> int:
        return next((at for at in range(entry + 1, stop) if at in self._inner), stop) if self._inner else stop

    def _make(self, batch: EntryBatch) -> Iterator[_Placed]:
        # The first batch of a source ends the last part of the one before.
        for part in self._writer.add(batch):
            yield self._numbers[self._source], part
        self._source = batch.source

    def _made(self) -> Iterator[_Placed]:
        for part in self._writer.flush():
            yield self._numbers[self._source], part

    def _is_in_step(self, place: int) -> bool:
        """Whether the part that is being made is the known one before this."""
        return self._writer.open_entries_count == self._known[place - 1].part.entries_count

    def _begin_row(self, place: int) -> Iterator[_Placed]:
        yield from self._made()
        pairs = pairwise(islice(self._known, place, None))
        self._row.extend(known for known, _ in takewhile(lambda pair: _follow(*pair), pairs))
        self.calm_entries = self._row[-1].stop_entry

    def _take_over_to(self, entry: int) -> Iterator[_Placed]:
        """The parts of the row that end before or at this entry."""
        while self._row and self._row[0].stop_entry <= entry:
            known = self._row.popleft()
            number = self._numbers[self._source]
            if known.changed:
                yield number, patched_part(self._load(known.part.digest), known.first_entry, self._changed, self._load)
                self._changed = []
            else:
                yield number, replace(known.part, source=number)


def _follow(one: KnownPart, other: KnownPart) -> bool:
    """Whether the second part follows the first, in one source."""
    return one.part.source == other.part.source and one.stop_entry == other.first_entry
