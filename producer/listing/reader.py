"""Reads any range of entries out of stored parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from producer.listing.entry import Entry, EntryBatch

#: Entries in decoded parts: some 60 MB.  The segments of a plan come sorted by size, so neighbours in the queue are not
#: neighbours in the listing.
CACHED_ENTRIES_COUNT = 160_000


class Batches(Protocol):
    """What has the entries of a listing, or those of them that matter."""

    def batches(self, first_entry: int, stop_entry: int) -> Iterator[EntryBatch]:
        """Whole batches that hold entries of ``[first_entry, stop_entry)``, in entry order."""


class ListingReader:
    """Entries by index, a few decoded parts at a time.  Not safe for several threads.

    ``first_entries[n]`` is the first entry index of part ``n``, ascending; ``load(n)`` gives its batches.
    """

    def __init__(self, first_entries: Sequence[int], load: Callable[[int], list[EntryBatch]]) -> None:
        self._first_entries = first_entries
        self._load = load
        self._decoded: OrderedDict[int, list[EntryBatch]] = OrderedDict()
        self._entries_count = 0

    def batches(self, first_entry: int, stop_entry: int) -> Iterator[EntryBatch]:
        """The whole batches that hold entries of ``[first_entry, stop_entry)``, in entry order."""
        first_part = max(0, bisect_right(self._first_entries, first_entry) - 1)
        for number in range(first_part, bisect_left(self._first_entries, stop_entry)):
            batches = self.part(number)
            begin = bisect_right(batches, first_entry, key=stop_entry_of)
            for batch in islice(batches, begin, None):
                if batch.first_entry >= stop_entry:
                    break
                if len(batch):
                    yield batch

    def entry(self, index: int) -> Entry:
        """One entry; raises IndexError when there is none of that index."""
        for batch in self.batches(index, index + 1):
            return batch.entry_at(index - batch.first_entry)
        raise IndexError(f"no entry {index}")

    def part(self, number: int) -> list[EntryBatch]:
        """The batches of one part."""
        if number in self._decoded:
            self._decoded.move_to_end(number)
            return self._decoded[number]
        batches = self._decoded[number] = self._load(number)
        self._entries_count += sum(map(len, batches))
        while self._entries_count > CACHED_ENTRIES_COUNT and len(self._decoded) > 1:
            _, oldest = self._decoded.popitem(last=False)
            self._entries_count -= sum(map(len, oldest))
        return batches


def stop_entry_of(batch: EntryBatch) -> int:
    return batch.stop_entry
