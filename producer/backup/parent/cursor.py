"""Walks through the entries of one source in a sealed snapshot, beside a walk that comes in the same order."""

from __future__ import annotations

import os
from collections.abc import Iterator

from producer.listing.entry import EntryBatch
from producer.listing.walk_order import folder_order


class Cursor:
    """Finds the parent's entry at each path.  Memory: the parent's batches beside one batch of the walk."""

    def __init__(self, batches: Iterator[EntryBatch]) -> None:
        """``batches``: of the source, in order."""
        self._batches = batches
        self._next = next(self._batches, None)
        self._beside: list[EntryBatch] = []

    def beside(self, batch: EntryBatch) -> list[EntryBatch]:
        """The parent's entries of the batch's directory, as far as the batch reaches, in order.

        To be called with the walk's batches in order.
        """
        if self._beside:
            first = os.fsencode(batch.names[0])
            self._beside = [
                one for one in self._beside if _is_same_folder(one, batch) and os.fsencode(one.names[-1]) >= first
            ]
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
