"""The entries of a snapshot without those that patterns leave out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from producer.catalog.tree import Tree
from producer.listing.columns import cut, joined
from producer.listing.entry import NO_DATA, EntryBatch
from producer.retention.rewriting.hard_links import HardLinks, heirs_of
from producer.retention.rewriting.left_out import LeftOut
from producer.walk.choosing.exclusions import ExclusionRules

#: Gets a file that goes: its batch, and its place there.
OnGone = Callable[[EntryBatch, int], None]


class Thinned:
    """Reads the tree again at each call of :meth:`batches`, and counts what goes."""

    def __init__(self, tree: Tree, rules: ExclusionRules, *, followed: Sequence[int] = ()) -> None:
        """``followed``: entries of which :attr:`moved` says where they are then."""
        self._tree = tree
        self._rules = rules
        self._followed = sorted(followed)
        self._heirs: Mapping[str, str] | None = None
        self._start()

    def _start(self) -> None:
        self.entries_count = self.files_count = self.bytes_source = 0
        #: Index of an entry → its index without those that go; none for one that goes.
        self.moved: dict[int, int] = {}

    def batches(self, on_gone: OnGone = lambda batch, place: None) -> Iterator[EntryBatch]:
        """What stays, in entry order."""
        if self._heirs is None:
            self._heirs = heirs_of(self._tree.batches(), LeftOut(self._rules))
        self._start()
        left_out, links = LeftOut(self._rules), HardLinks(self._heirs)
        for batch in self._tree.batches():
            gone = left_out.places(batch)
            self._follow(batch, gone)
            for place in gone:
                self._count(batch, place, links, on_gone)
            if len(gone) < len(batch):
                yield links.settled(_without(batch, gone))

    def count(self, on_gone: OnGone = lambda batch, place: None) -> None:
        """Only find out how much goes."""
        for _ in self.batches(on_gone):
            continue

    def _count(self, batch: EntryBatch, place: int, links: HardLinks, on_gone: OnGone) -> None:
        self.entries_count += 1
        if batch.sizes_bytes[place] != NO_DATA and not links.take(batch, place):
            self.files_count += 1
            self.bytes_source += batch.data_bytes_at(place)
            on_gone(batch, place)

    def _follow(self, batch: EntryBatch, gone: Sequence[int]) -> None:
        first = bisect_left(self._followed, batch.first_entry)
        stop = bisect_left(self._followed, batch.first_entry + len(batch), lo=first)
        for index in self._followed[first:stop]:
            place = index - batch.first_entry
            before = bisect_left(gone, place)
            if place not in gone[before : before + 1]:
                self.moved[index] = index - self.entries_count - before


def _without(batch: EntryBatch, gone: Sequence[int]) -> EntryBatch:
    """The batch without these entries, at least one of which stays."""
    if not gone:
        return batch
    edges = [-1, *gone, len(batch)]
    runs = [(one + 1, two) for one, two in pairwise(edges) if two - one > 1]
    return joined([cut(batch, start, stop) for start, stop in runs])
