"""Walks through the entries of one source in a sealed snapshot, beside a walk that comes in the same order."""

from __future__ import annotations

import os
from collections.abc import Iterator

from producer.listing.entry import EntryBatch


def folder_order(batch: EntryBatch) -> list[bytes]:
    """Sorts batches as the walk does: a directory before its subdirectories, the source itself first."""
    if batch.names == [""]:
        return []
    return [b"", *os.fsencode(batch.directory).split(b"/")] if batch.directory else [b""]


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
        order, last = folder_order(batch), os.fsencode(batch.names[-1])
        first = os.fsencode(batch.names[0])
        self._beside = [
            one for one in self._beside if folder_order(one) == order and os.fsencode(one.names[-1]) >= first
        ]
        while self._next is not None and self._is_up_to(self._next, order, last):
            if folder_order(self._next) == order:
                self._beside.append(self._next)
            self._next = next(self._batches, None)
        return self._beside

    @staticmethod
    def _is_up_to(batch: EntryBatch, order: list[bytes], last: bytes) -> bool:
        mine = folder_order(batch)
        return mine < order or (mine == order and os.fsencode(batch.names[0]) <= last)
