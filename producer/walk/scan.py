"""The walk over all sources: assigns every entry its index, and counts what there is to store."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from producer.host.scouting.looks import SilentError, look_at_each
from producer.listing import EntryBatch, ListingPart, ListingWriter
from producer.listing.entry import NO_DATA
from producer.listing.places.places import NO_PLACES
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.columns import Columns, columns_of
from producer.walk.early import EarlyScan
from producer.walk.found import Found, Rest
from producer.walk.guard import guarded_scan
from producer.walk.hardlinks import HardLinks
from producer.walk.known import Before
from producer.walk.owners import OwnersSeen
from producer.walk.roots import Root, root_of
from producer.walk.tree import SourceTree


class Walked(NamedTuple):
    """Entries of one directory; ``mark``: of all of it, if that is known (:mod:`producer.walk.marks`).

    ``before``: the same entries in the snapshot that knows the directory, with their places.
    """

    batch: EntryBatch
    mark: bytes = b""
    before: EntryBatch | None = None


class Walk:
    """One walk over the sources, in the order given.  The attributes grow while :meth:`batches` is consumed.

    ``on_trouble`` is called for every entry that could not be read (with its absolute path), ``on_progress`` after
    every directory with the files and bytes so far; both in the consuming thread.  Memory: 8 bytes per entry, the names
    of one directory, the directories still to read, and each file with several names.
    """

    #: By entry index: bytes to store, without holes; -1 for entries without stored data, as further names of a file.
    sizes: array[int]
    #: By entry index: how many ranges of data a file has, if several.
    ranges_counts: dict[int, int]
    #: The first entry index of each source.
    source_starts: list[int]
    #: Regular files, and the sum of their sizes without holes; a file with several names counts once.
    files_count: int
    bytes_total: int
    #: By source: its regular files.
    files_counts: dict[str, int]
    #: By source, of those that answered: its first entry.
    first_entries: dict[str, int]
    #: Users and groups that entries belong to.
    owners: OwnersSeen

    def __init__(
        self,
        sources: Sequence[Source],
        exclusions: Exclusions,
        *,
        on_trouble: Callable[[Trouble], None],
        on_progress: Callable[[int, int], None],
        limit_s: float | None = None,
        left_out: Collection[Path] = (),
        early: EarlyScan | None = None,
        before: Before | None = None,
    ) -> None:
        """``limit_s``: how long an entry may take to be looked at; None: for ever.  ``left_out``: files of our own.

        With a limit another process reads the sources, which may wait for ever where this one must not.  ``early``: one
        that may have begun with that.  ``before``: of directories that are as then it has the entries.
        """
        self.sizes = array("q")
        self.ranges_counts = {}
        self.source_starts = []
        self.files_count = 0
        self.bytes_total = 0
        self.files_counts = {}
        self.first_entries = {}
        self.owners = OwnersSeen()
        self._sources = sources
        self._rules = ExclusionRules(exclusions)
        self._one_file_system = exclusions.one_file_system
        self._hard_links = HardLinks()
        self._on_trouble = on_trouble
        self._on_progress = on_progress
        self._limit_s = limit_s
        self._exclusions = exclusions
        self._left_out = left_out
        self._early = early
        self._before = before

    def parts(self) -> Iterator[ListingPart]:
        """As :meth:`batches`, as the parts of a listing."""
        writer = ListingWriter()
        for batch in self.batches():
            yield from writer.add(batch)
        yield from writer.flush()

    def batches(self) -> Iterator[EntryBatch]:
        """The entries of one directory after the other; see :meth:`walked`."""
        return (one.batch for one in self.walked())

    def walked(self) -> Iterator[Walked]:
        """Walk, and yield the entries of one directory after the other.  To be consumed once.

        A source that does not answer has no entry and is a trouble.  Raises SilentError when none answers, UsageError
        when one is missing or cannot be backed up; both before anything is read.
        """
        roots = self._roots()
        for source in self._sources:
            self.source_starts.append(len(self.sizes))
            if source.name in roots:
                self.first_entries[source.name] = len(self.sizes)
                yield from self._batches_of(source, roots[source.name])
        if self._early is not None:
            self._early.end()

    def _batches_of(self, source: Source, root: Root) -> Iterator[Walked]:
        if isinstance(root, EntryBatch):
            yield Walked(self._raw_batch(root))
            return
        files_before = self.files_count
        for found in self._found_in(source, root):
            yield self._walked(source.name, found)
            self._on_progress(self.files_count, self.bytes_total)
        self.files_counts[source.name] = self.files_count - files_before

    def _roots(self) -> dict[str, Root]:
        """What each source itself is, of those that answer."""
        if self._limit_s is None:
            return {source.name: root_of(source, attributes=self._rules.keeps_attributes) for source in self._sources}
        sources = {source.path: source for source in self._sources}
        seen = look_at_each(
            {source.name: source.path for source in self._sources},
            lambda path: root_of(sources[path], attributes=self._rules.keeps_attributes),
            on_wait=self._beat,
        )
        silent = [root for root in seen.values() if isinstance(root, SilentError)]
        if len(silent) == len(seen):
            raise silent[0]
        for error in silent:
            self._on_trouble(Trouble(code="unreadable", message=error.message, path=error.path or ""))
        return {name: root for name, root in seen.items() if not isinstance(root, SilentError)}

    def _raw_batch(self, root: EntryBatch) -> EntryBatch:
        batch = replace(root, first_entry=len(self.sizes))
        self.sizes.extend(batch.sizes_bytes)
        self.files_count += 1
        self.bytes_total += batch.sizes_bytes[0]
        return batch

    def _found_in(self, source: Source, root: Found) -> Iterator[Columns | EntryBatch]:
        for trouble in root.troubles:
            self._on_trouble(trouble)
        yield columns_of(root)
        if root.letters == ["d"]:
            if self._limit_s is None:
                yield from map(columns_of, self._tree(source).scan())
            else:
                yield from self._guarded(source, self._limit_s)

    def _tree(self, source: Source, known: Mapping[bytes, bytes] | None = None) -> SourceTree:
        return SourceTree(
            str(source.path),
            self._rules,
            name=source.name,
            one_file_system=self._one_file_system,
            on_trouble=self._on_trouble,
            only=source.only,
            left_out=self._left_out,
            known=known,
        )

    def _guarded(self, source: Source, limit_s: float) -> Iterator[Columns | EntryBatch]:
        known = None if self._before is None else self._before.known
        tree = self._tree(source, None if known is None else known.marks(source.name))
        early = self._early
        begun = None if early is None else early.take(source, self._exclusions, self._left_out, limit_s, known)
        for found in guarded_scan(tree, self._on_trouble, self._beat, limit_s=limit_s, begun=begun):
            if not isinstance(found, str):
                yield found
            elif self._before is not None and (batch := self._before.batch(source.name, found)) is not None:
                yield batch
            else:
                yield from self._looked_at(source, found, limit_s)

    def _looked_at(self, source: Source, directory: str, limit_s: float) -> Iterator[Columns]:
        """What is in the one directory."""
        rest = Rest([directory])
        for found in guarded_scan(self._tree(source), self._on_trouble, self._beat, limit_s=limit_s, rest=rest):
            if isinstance(found, str) or found.directory != directory:
                return
            yield found

    def _beat(self) -> None:
        self._on_progress(self.files_count, self.bytes_total)

    def _walked(self, source: str, found: Columns | EntryBatch) -> Walked:
        self.owners.add(found.uids, found.gids)
        if isinstance(found, EntryBatch):
            batch = replace(found, first_entry=len(self.sizes), places=NO_PLACES)
            self._count(batch)
            return Walked(batch, mark=self._mark_of(batch), before=found)
        columns = (self._with_hard_links(source, found) if found.several_names else found)._asdict()
        del columns["several_names"], columns["mark"]
        batch = EntryBatch(source=source, first_entry=len(self.sizes), **columns)
        self._count(batch)
        return Walked(batch, mark=found.mark)

    def _mark_of(self, batch: EntryBatch) -> bytes:
        assert self._before is not None
        return self._before.known.directories[batch.source][os.fsencode(batch.directory)].mark

    def _count(self, batch: EntryBatch) -> None:
        for entry, name in enumerate(batch.names, batch.first_entry) if batch.data_ranges else ():
            ranges_count = len(batch.data_ranges.get(name, ()))
            if ranges_count > 1:
                self.ranges_counts[entry] = ranges_count
        sizes = batch.stored_sizes_bytes
        self.sizes.extend(sizes)
        self.files_count += batch.kinds.count("f")
        self.bytes_total += sum(sizes) - NO_DATA * sizes.count(NO_DATA)

    def _with_hard_links(self, source: str, found: Columns) -> Columns:
        """Each file that was seen before under another name is a link to that name."""
        above = "/".join(filter(None, (source, found.directory)))
        firsts: dict[int, str] = {}
        for place, file in found.several_names.items():
            name = found.names[place]
            first = self._hard_links.first_name(file, f"{above}/{name}" if name else above)
            if first is not None:
                firsts[place] = first
        if not firsts:
            return found
        linked = {found.names[place]: first for place, first in firsts.items()}
        return found._replace(
            kinds="".join("h" if place in firsts else kind for place, kind in enumerate(found.kinds)),
            sizes_bytes=[NO_DATA if place in firsts else size for place, size in enumerate(found.sizes_bytes)],
            inodes=[0 if place in firsts else inode for place, inode in enumerate(found.inodes)],
            links={**found.links, **linked},
            data_ranges={name: ranges for name, ranges in found.data_ranges.items() if name not in linked},
        )
