"""One snapshot by path: an index of its directories, and entries that are decoded when somebody looks at them."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator

from producer.catalog.tree import Tree
from producer.listing import Entry, EntryBatch, ListingReader
from producer.restore.planning.picks import snapshot_path


class SnapshotTree:
    """Takes some 200 bytes for each directory and each hard link.  Not safe for several threads."""

    def __init__(self, tree: Tree) -> None:
        """Reads all entries once: a second and a half for a million of them."""
        self._reader = tree.reader
        #: Path of a directory → first entry of each of its batches, and the first name of those behind the first one.
        self._batches: dict[str, list[tuple[int, bytes]]] = {}
        #: Name of a source → index of its own entry.
        self._sources: dict[str, int] = {}
        #: Path of a file → how many hard links to it there are.
        self._links: Counter[str] = Counter()
        for batch in tree.batches():
            self._take(batch)

    @property
    def reader(self) -> ListingReader:
        return self._reader

    def entry(self, path: str) -> Entry | None:
        """The entry at a path in the snapshot; None if there is none."""
        if path in self._sources:
            return self._reader.entry(self._sources[path])
        folder, _, name = path.rpartition("/")
        batches = self._batches.get(folder)
        if not (name and batches):
            return None
        wanted = os.fsencode(name)
        place = max(0, bisect_right(batches, wanted, key=lambda batch: batch[1]) - 1)
        return self._in(self._batch(batches[place][0]), wanted)

    def names(self, folder: str) -> Iterator[tuple[str, str, int]]:
        """(name, letter of its kind, index of its entry) of what is in a directory, "" being the snapshot itself."""
        if not folder:
            for name, index in self._sources.items():
                yield name, self._batch(index).kinds, index
        for first, _ in self._batches.get(folder, ()):
            batch = self._batch(first)
            yield from zip(batch.names, batch.kinds, range(first, batch.stop_entry), strict=True)

    def file_of(self, entry: Entry) -> Entry | None:
        """The entry that holds the data of a hard link; any other entry itself."""
        return self.entry(entry.link) if entry.kind == "hardlink" else entry

    def links_count(self, entry: Entry) -> int:
        """How many names a file has in the snapshot."""
        return 1 + self._links.get(entry.snapshot_path, 0)

    def _take(self, batch: EntryBatch) -> None:
        if batch.names == [""]:
            self._sources[batch.source] = batch.first_entry
            return
        own = self._batches.setdefault(snapshot_path(batch.source, batch.directory), [])
        own.append((batch.first_entry, os.fsencode(batch.names[0]) if own else b""))
        if "h" in batch.kinds:
            kinds = zip(batch.names, batch.kinds, strict=True)
            self._links.update(batch.links[name] for name, kind in kinds if kind == "h")

    def _batch(self, first_entry: int) -> EntryBatch:
        return next(self._reader.batches(first_entry, first_entry + 1))

    @staticmethod
    def _in(batch: EntryBatch, wanted: bytes) -> Entry | None:
        place = bisect_left(batch.names, wanted, key=os.fsencode)
        found = place < len(batch) and os.fsencode(batch.names[place]) == wanted
        return batch.entry_at(place) if found else None
