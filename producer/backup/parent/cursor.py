"""Walks through the entries of one source in a sealed snapshot, beside a walk that comes in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from producer.listing.entry import EntryBatch
from producer.listing.walk_order import folder_order


class Cursor:
    """Finds the parent's entry at each path.  Memory: the parent's batches beside one batch of the walk."""

    def __init__(self, batches_from: Callable[[int], Iterator[EntryBatch]]) -> None:
        """``batches_from`` gives those of the source, in order, that end after an entry."""
        self._batches_from = batches_from
        self._batches = batches_from(0)
        self._next = next(self._batches, None)
        self._beside: list[EntryBatch] = []
        #: The entries before this one have been passed without a look.
        self._passed = 0

    def pass_to(self, entry: int) -> None:
        """Pass all entries of the parent before this one."""
        self._passed = entry

    def beside(self, batch: EntryBatch) -> list[EntryBatch]:
        """The parent's entries of the batch's directory, as far as the batch reaches, in order.

        To be called with the walk's batches in order, all but those whose entries are passed.
        """
        if self._beside:
            first = os.fsencode(batch.names[0])
            self._beside = [
                one for one in self._beside if _is_same_folder(one, batch) and os.fsencode(one.names[-1]) >= first
            ]
        if self._next is not None and self._next.stop_entry <= self._passed:
            self._batches = self._batches_from(self._passed)
            self._next = next(self._batches, None)
        while self._next is not None:
            if not _is_same_folder(self._next, batch):
                # Most folders are where they were: then the next one is later, and needs no comparison.
                if self._beside or folder_order(self._next) > folder_order(batch):
                    break
            elif self._next.names[0] != batch.names[0] and os.fsencode(self._next.names[0]) > os.fsencode(
                batch.names[-1]
            ):
                break
            else:
                self._beside.append(self._next)
            self._next = next(self._batches, None)
        return self._beside


def _is_same_folder(one: EntryBatch, other: EntryBatch) -> bool:
    """Whether both are of the same folder; the source itself is in none."""
    return one.directory == other.directory and (one.names == [""]) == (other.names == [""])
