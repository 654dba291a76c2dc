"""Merges the walk with the parent snapshot: unchanged files take over their places, and are not read.

Those that have changed take over what they are compared with when they are read.

Both come in the order of the walk, so the merge needs no more memory than a few batches; only when files that are
older than the parent stand at new paths, all the parent's files are looked through once, by their inodes.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import cached_property, partial

from msgspec.structs import replace

from producer.backup.parent.cursor import Cursor
from producer.backup.parent.merged import FileCounts, Merged, Writers
from producer.backup.parent.same_entries import SameEntries, has_same_names, is_as_sealed
from producer.backup.parent.same_folder import places_of_same, same_files
from producer.backup.parent.unchanged import Rules, is_whole
from producer.catalog.known_parts import KnownPart
from producer.catalog.sound import Held
from producer.catalog.tree import Tree
from producer.listing.columns import joined
from producer.listing.compared import comparable
from producer.listing.entry import NO_DATA, EntryBatch
from producer.listing.places.places import Places, PlacesWriter
from producer.observer import OnFile
from tasks.errors import SegfleetError

#: A batch of the parent, and the place of an entry there.
Found = tuple[EntryBatch, int]


class Merge:
    """``usable``: what devices have of segments, whether they are there or away.

    ``healable``: the other segments of which the catalog has digests.  ``on_damage`` gets why a part of the parent
    cannot be read, perhaps several times; what it has counts as new.
    """

    def __init__(
        self,
        tree: Tree,
        sources: list[str],
        rules: Rules,
        usable: Held,
        on_file: OnFile | None = None,
        *,
        healable: Set[str] = frozenset(),
        on_damage: Callable[[SegfleetError], None] = lambda error: None,
    ) -> None:
        self.counts = FileCounts()
        self._on_file = on_file
        #: The segments that unchanged files have been found in.
        self.borrowed: set[str] = set()
        #: Of these, the segments that are to be stored again.
        self.lost: set[str] = set()
        #: Those that hold what files are compared with.
        self.compared: set[str] = set()
        #: How much of the files that is.
        self.compared_bytes = 0
        self._tree = tree
        self._same = SameEntries()
        self._rules = rules
        self._usable = usable
        self._healable = healable
        self._on_damage = on_damage
        self._cursors = {name: Cursor(partial(tree.readable, number, on_damage)) for number, name in enumerate(sources)}

    def known_parts(self) -> list[KnownPart]:
        """The parts of the parent that the snapshot takes over; see :meth:`SameEntries.parts`.  After the walk."""
        return self._same.parts(self._tree.parts)

    def merged(self, batch: EntryBatch, known: EntryBatch | None = None) -> Merged:
        """Batches come in the order of the walk.  ``known``: the parent's entries that are known to be the same."""
        cursor = self._cursors.get(batch.source)
        if known is not None and cursor is not None and self._has_all(known) and self._rules.has_settled(known):
            cursor.pass_to(known.stop_entry)
            return self._unchanged(batch, known, known.places, is_same=True)
        parent = cursor.beside(batch) if cursor is not None else []
        before = joined(parent) if batch.inodes and parent and sum(map(len, parent)) == len(batch) else None
        if before is not None:
            places = places_of_same(batch, before, self._rules, self._usable.whole)
            if places is not None:
                return self._unchanged(batch, before, places, is_same=is_as_sealed(batch, before))
        if before is not None:
            self._note_same(batch, before, is_same=False)
        writers = Writers(batch)
        same = [] if before is None else self._take_same(batch, before, writers)
        beside = {name: (one, place) for one in parent for place, name in enumerate(one.names)}
        for place in sorted({place for place, kind in enumerate(batch.kinds) if kind == "f"}.difference(same)):
            self._take(batch, place, beside.get(batch.names[place]), writers)
        merged = replace(batch, places=writers.unchanged.places(), former=writers.former.places())
        return Merged(merged, writers.to_store)

    def _has_all(self, before: EntryBatch) -> bool:
        """Whether devices have all that is in these entries, as a whole."""
        return all(segment_id in self._usable.whole for segment_id in before.places.segment_ids)

    def _unchanged(self, batch: EntryBatch, before: EntryBatch, places: Places, *, is_same: bool) -> Merged:
        self.counts.unchanged += batch.kinds.count("f")
        self.borrowed.update(places.segment_ids)
        self._note_same(batch, before, is_same=is_same)
        return Merged(replace(batch, places=places), [NO_DATA] * len(batch), is_same)

    def _note_same(self, batch: EntryBatch, before: EntryBatch, *, is_same: bool) -> None:
        if is_same or has_same_names(batch, before):
            self._same.add(batch, before, is_same=is_same)

    def _take_same(self, batch: EntryBatch, before: EntryBatch, writers: Writers) -> list[int]:
        """Take over the places of files that are at the same place in the parent; returns which."""
        same = same_files(batch, before, self._rules, self._usable.whole)
        self.counts.unchanged += len(same)
        for place in same:
            writers.to_store[place] = NO_DATA
        writers.unchanged.take_over(before.places, same)
        self.borrowed.update(writers.unchanged.places().segment_ids)
        return same

    def _take(self, batch: EntryBatch, place: int, before: Found | None, writers: Writers) -> None:
        found, is_moved = before, False
        if not batch.inodes:
            # A raw volume may be written without any time that shows it.
            found = None
        elif before is None or not self._rules.is_same(batch, place, *before):
            found, is_moved = self._moved(batch, place), True
        if found is not None and is_whole(*found):
            self.counts.moved += is_moved
            self.counts.unchanged += not is_moved
            if is_moved and self._on_file is not None:
                self._on_file("moved", batch.snapshot_path_at(place))
            self._take_over(batch, place, found, writers)
            return
        is_new = found is None and (before is None or before[0].kinds[before[1]] not in "fh")
        self.counts.new += is_new
        self.counts.changed += not is_new
        if self._on_file is not None:
            self._on_file("new" if is_new else "changed", batch.snapshot_path_at(place))
        self._compare(batch, place, found or before, writers.former)

    def _compare(self, batch: EntryBatch, place: int, found: Found | None, writer: PlacesWriter) -> None:
        """Name what the parent has of the file that is read; a renamed one is found by its inode."""
        if batch.sizes_bytes[place] <= 0:
            return
        if found is None or found[0].kinds[found[1]] != "f":
            found = self._of_inode(batch, place)
        if found is None:
            return
        before, at = found
        sizes_bytes = before.sizes_bytes[at], batch.sizes_bytes[place]
        places = comparable(list(before.places_of(at)), before.ranges_at(at), batch.ranges_at(place), sizes_bytes)
        known = [one for one in places if self._usable.has(one)]
        self.compared |= {one.segment_id for one in known}
        self.compared_bytes += sum(one.size_bytes for one in known)
        writer.add(place, batch.names[place], batch.data_bytes_at(place), known)

    def _take_over(self, batch: EntryBatch, place: int, found: Found, writers: Writers) -> None:
        before, at = found
        size_bytes = batch.data_bytes_at(place)
        places = list(before.places_of(at))
        gone = [one for one in places if not self._usable.has(one)]
        lost = {one.segment_id for one in gone}
        is_healed = lost <= self._healable
        if lost:
            self.counts.again += 1
            self.counts.again_bytes += sum(one.size_bytes for one in gone) if is_healed else size_bytes
        if is_healed:
            self.lost |= lost
            self.borrowed |= {one.segment_id for one in places}
            writers.unchanged.add(place, batch.names[place], size_bytes, places)
            writers.to_store[place] = NO_DATA

    def _moved(self, batch: EntryBatch, place: int) -> Found | None:
        """The same file at another path in the parent.  A file that is younger than the parent cannot be there."""
        if not (batch.sizes_bytes[place] and self._rules.is_settled(batch, place)):
            return None
        found = self._of_inode(batch, place)
        return found if found is not None and self._rules.is_same(batch, place, *found) else None

    def _of_inode(self, batch: EntryBatch, place: int) -> Found | None:
        if not (batch.inodes and self._rules.compares_inode):
            return None
        entry = self._entry_of_inode.get(batch.inodes[place])
        if entry is None:
            return None
        batches = self._tree.reader.batches(entry, entry + 1)
        return next(((before, entry - before.first_entry) for before in batches), None)

    @cached_property
    def _entry_of_inode(self) -> dict[int, int]:
        return {
            inode: batch.first_entry + place
            for number in range(len(self._cursors))
            for batch in self._tree.readable(number, self._on_damage)
            for place, (inode, kind) in enumerate(zip(batch.inodes, batch.kinds, strict=False))
            if kind == "f"
        }
