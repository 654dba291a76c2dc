"""The batches of a walk in which something differs from the parent, as long as they fit into memory.

On most days they are few, and whoever makes orders or the tree need not decode the listing for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice

from producer.listing.entry import EntryBatch
from producer.listing.reader import CACHED_ENTRIES_COUNT, stop_entry_of


class DifferingBatches:
    """``fits`` turns False, and all are forgotten, when there are too many."""

    def __init__(self) -> None:
        self.fits = True
        self._batches: list[EntryBatch] = []
        self._entries_count = 0

    def add(self, batch: EntryBatch) -> None:
        """Batches come in entry order."""
        self._entries_count += len(batch)
        self.fits = self._entries_count <= CACHED_ENTRIES_COUNT
        if self.fits:
            self._batches.append(batch)
        else:
            self._batches.clear()

    def batches(self, first_entry: int, stop_entry: int) -> Iterator[EntryBatch]:
        """Those with entries of ``[first_entry, stop_entry)``, in entry order, each as a whole."""
        begin = bisect_right(self._batches, first_entry, key=stop_entry_of)
        for batch in islice(self._batches, begin, None):
            if batch.first_entry >= stop_entry:
                return
            yield batch
