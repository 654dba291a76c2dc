"""Merges the walk with the parent snapshot: unchanged files take over their places, and are not read.

Both come in the order of the walk, so the merge needs no more memory than a few batches; only when files that are
older than the parent stand at new paths, all the parent's files are looked through once, by their inodes.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from producer.backup.parent.cursor import Cursor
from producer.backup.parent.unchanged import Rules, is_whole
from producer.catalog.tables.trees import Tree
from producer.listing.data_ranges import data_bytes
from producer.listing.entry import EntryBatch
from producer.listing.places import PlacesWriter


@dataclass(kw_only=True, slots=True)
class FileCounts:
    """Regular files by what the parent has of them; a moved one is unchanged, at another path."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    #: Of the unchanged and moved ones: those that are stored again, because no device has them any more.
    again: int = 0
    again_bytes: int = 0


class Merge:
    """``usable``: the segments that a device has, whether it is there or away."""

    def __init__(self, tree: Tree, sources: list[str], rules: Rules, usable: Set[str]) -> None:
        self.counts = FileCounts()
        #: The segments that files have been found in.
        self.borrowed: set[str] = set()
        self._tree = tree
        self._rules = rules
        self._usable = usable
        self._cursors = {name: Cursor(tree, number) for number, name in enumerate(sources)}

    def merged(self, batch: EntryBatch) -> EntryBatch:
        """The batch with the places of its unchanged files; batches come in the order of the walk."""
        if "f" not in batch.kinds or not batch.inodes:
            # A raw volume is compared cell by cell.
            return batch
        cursor = self._cursors.get(batch.source)
        beside = cursor.beside(batch) if cursor is not None else {}
        writer = PlacesWriter(len(batch))
        for place, (name, kind) in enumerate(zip(batch.names, batch.kinds, strict=True)):
            if kind == "f":
                self._take(batch, place, beside.get(name), writer)
        return replace(batch, places=writer.places())

    def _take(self, batch: EntryBatch, place: int, before: tuple[EntryBatch, int] | None, writer: PlacesWriter) -> None:
        if before is not None and self._rules.is_same(batch, place, *before):
            found, is_moved = before, False
        else:
            moved = self._moved(batch, place)
            if moved is None:
                is_new = before is None or before[0].kinds[before[1]] not in "fh"
                self.counts.new += is_new
                self.counts.changed += not is_new
                return
            found, is_moved = moved, True
        if not is_whole(*found):
            self.counts.changed += 1
            return
        self.counts.moved += is_moved
        self.counts.unchanged += not is_moved
        self._take_over(batch, place, found, writer)

    def _take_over(self, batch: EntryBatch, place: int, found: tuple[EntryBatch, int], writer: PlacesWriter) -> None:
        before, at = found
        size_bytes = data_bytes(batch.ranges_at(place))
        places = list(before.places_of(at))
        segment_ids = {one.segment_id for one in places}
        if not segment_ids <= self._usable:
            self.counts.again += 1
            self.counts.again_bytes += size_bytes
        elif places:
            self.borrowed |= segment_ids
            writer.add(place, batch.names[place], size_bytes, places)

    def _moved(self, batch: EntryBatch, place: int) -> tuple[EntryBatch, int] | None:
        """The same file at another path in the parent.  A file that is younger than the parent cannot be there."""
        if not (batch.sizes_bytes[place] and batch.inodes and self._rules.compares_inode):
            return None
        if not self._rules.is_settled(batch, place):
            return None
        entry = self._entry_of_inode.get(batch.inodes[place])
        if entry is None:
            return None
        for before in self._tree.reader.batches(entry, entry + 1):
            at = entry - before.first_entry
            return (before, at) if self._rules.is_same(batch, place, before, at) else None
        return None

    @cached_property
    def _entry_of_inode(self) -> dict[int, int]:
        return {
            inode: batch.first_entry + place
            for batch in self._tree.batches()
            for place, (inode, kind) in enumerate(zip(batch.inodes, batch.kinds, strict=False))
            if kind == "f"
        }
