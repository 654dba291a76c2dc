"""The entries of an open snapshot: the walk, merged with the parent, written into the catalog as it goes."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping

from producer.backup.parent.merge import Merge
from producer.backup.parent.overlay import Overlay
from producer.listing import EntryBatch, ListingPart, ListingWriter
from producer.listing.compared import extents_at, former_of
from producer.listing.in_memory import DifferingBatches
from producer.observer import OnFile
from producer.plan.extent_sizes import ExtentSizes
from producer.walk.known import KnownDirectory
from producer.walk.scan import Walked


class Entries:
    """Collects the walk's batches until it is known what they are merged with; from then on makes parts of them."""

    def __init__(self, on_file: OnFile | None = None) -> None:
        """``on_file`` gets the files when there is nothing to merge with: all are new."""
        self._on_file = on_file
        #: By entry index: bytes to store; -1 for entries without data, and for those that the parent has.
        self.sizes = array("q")
        #: By entry index: the sizes of the extents that the data of a file is compared in.
        self.extents_bytes = ExtentSizes()
        #: Listing parts that nobody has taken yet.
        self.parts: list[ListingPart] = []
        #: The batches that are not as in the parent.
        self.differing = DifferingBatches()
        #: Source → path in bytes → directory: of those that have a mark, and are as in the parent.
        self.known: dict[str, dict[bytes, KnownDirectory]] = {}
        self._waiting: list[Walked] = []
        self._writer = ListingWriter()
        self._merge: Merge | None = None
        self._overlay: Overlay | None = None
        self._is_merging = False
        self._knows_parent = False

    def add(self, walked: Walked) -> None:
        if self._is_merging:
            self._take(walked)
        else:
            self._waiting.append(walked)

    def begin(self, merge: Merge | None, overlay: Overlay | None = None, *, knows_parent: bool = False) -> None:
        """Merge with this one, or with nothing; ``overlay``: of an interrupted run.

        ``knows_parent``: what the walk knows of before, it knows of the parent.
        """
        self._merge, self._overlay, self._is_merging = merge, overlay, True
        self._knows_parent = knows_parent
        for walked in self._waiting:
            self._take(walked)
        self._waiting.clear()

    def ranges_counts(self, walked: Mapping[int, int]) -> dict[int, int]:
        """How many extents a file has, by entry index, if several; ``walked``: ranges of data, as the walk saw them."""
        return {**walked, **{entry: len(sizes_bytes) for entry, sizes_bytes in self.extents_bytes.several.items()}}

    def finish(self) -> None:
        """The walk is over."""
        self.parts += self._writer.flush()

    def take_parts(self) -> list[ListingPart]:
        """The parts that are complete, each once."""
        taken, self.parts = self.parts, []
        return taken

    def _take(self, walked: Walked) -> None:
        batch = walked.batch
        to_store, is_same = batch.stored_sizes_bytes, False
        if self._merge is not None:
            batch, to_store, is_same = self._merge.merged(batch, walked.before if self._knows_parent else None)
        elif self._on_file is not None:
            for place, kind in enumerate(batch.kinds):
                if kind == "f":
                    self._on_file("new", batch.snapshot_path_at(place))
        if self._overlay is not None:
            batch = self._overlay.over(batch)
        self.parts += self._writer.add(batch)
        if not is_same:
            self.differing.add(batch)
        elif walked.mark:
            known = KnownDirectory(walked.mark, batch.first_entry, len(batch))
            self.known.setdefault(batch.source, {})[os.fsencode(batch.directory)] = known
        self.sizes.extend(to_store)
        if batch.former.segment_ids:
            for entry, sizes_bytes in _extents_bytes(batch):
                self.extents_bytes.add(entry, sizes_bytes)


def _extents_bytes(batch: EntryBatch) -> Iterator[tuple[int, list[int]]]:
    for place in range(len(batch)):
        former = former_of(batch, place)
        if former is not None:
            extents = extents_at(batch, place, 0, batch.data_bytes_at(place), former)
            yield batch.first_entry + place, [size_bytes for _, size_bytes in extents]
