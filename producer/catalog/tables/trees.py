"""The entries of sealed snapshots: each snapshot's list of tree parts, and the parts, which snapshots share."""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Protocol

from sqlalchemy import delete, insert, select

from producer.catalog.database import Database
from producer.catalog.schema import packed_parts, snapshots, tree_parts, trees
from producer.listing.entry import EntryBatch
from producer.listing.placed import PlacedBatch, decode_placed
from producer.listing.places import Place
from producer.listing.reader import ListingReader
from producer.listing.tree_parts import PartNeeds, TreePart, decode_tree_part, needs_of
from producer.listing.walk_order import folder_order, order_of_folder
from tasks.errors import CatalogError, DamagedError, SegfleetError

#: In the list of a snapshot: digest, source, entries.
_REFERENCE = struct.Struct("<32sII")

#: Digests in one IN list.
_LIST_ROWS = 500

#: Tree parts in memory at once: some 400 KB.
_PAGE_PARTS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReference:
    """A part in its place in a snapshot.  ``source`` counts the snapshot's sources from 0."""

    digest: bytes
    source: int
    first_entry: int
    entries_count: int


class Parts(Protocol):
    """Whoever has the parts."""

    def data(self, digest: bytes) -> bytes: ...

    def data_of(self, digests: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Those that there are of some parts, by their digests: one question costs less than one for each."""

    def look_into(self, digests: Collection[bytes]) -> None:
        """Learn at once what these need."""

    def segment_ids(self, digest: bytes) -> list[str]: ...
    def maps(self, digest: bytes) -> list[bytes]: ...


class Tree:
    """The entries of one sealed snapshot, part by part.  Belongs to the catalog's thread."""

    def __init__(self, sources: Sequence[str], parts: Sequence[PartReference], stored: Parts) -> None:
        self.parts = parts
        self._sources = sources
        self._stored = stored

    def batches(self) -> Iterator[EntryBatch]:
        """All batches in entry order; one part is in memory at a time."""
        for part, data in self._read(self.parts):
            yield from self._decoded(part, data)

    def readable(self, source: int, on_damage: Callable[[SegfleetError], None]) -> Iterator[EntryBatch]:
        """The batches of one source; parts that are missing or damaged are left out, and ``on_damage`` gets why."""
        for part, data in self._read([part for part in self.parts if part.source == source]):
            try:
                batches = self._decoded(part, data)
            except (CatalogError, DamagedError) as error:
                on_damage(error)
            else:
                yield from batches

    def placed(self) -> Iterator[PlacedBatch]:
        """As :meth:`batches`, but only where the bytes of files are: a fraction of the work."""
        for part, data in self._read(self.parts):
            yield from decode_placed(data or self._stored.data(part.digest), self._stored.data)

    def mapped(self) -> Iterator[EntryBatch]:
        """The batches of those parts that have files in so many places that these have map parts."""
        for part in self.parts:
            if self._stored.maps(part.digest):
                yield from self.decoded(part)

    def decoded(self, part: PartReference) -> list[EntryBatch]:
        return self._decoded(part, None)

    def _decoded(self, part: PartReference, data: bytes | None) -> list[EntryBatch]:
        """``data``: of the part, where it has been read; what is missing raises the error of its reader."""
        source = self._sources[part.source]
        return decode_tree_part(data or self._stored.data(part.digest), source, part.first_entry, self._stored.data)

    def _read(self, parts: Sequence[PartReference]) -> Iterator[tuple[PartReference, bytes | None]]:
        """The parts in order, with their data, a page of them in memory; None for one that is missing."""
        for start in range(0, len(parts), _PAGE_PARTS):
            page = parts[start : start + _PAGE_PARTS]
            found = self._stored.data_of({part.digest for part in page})
            for part in page:
                yield part, found.get(part.digest)

    def folder(self, source: str, directory: str, name: str = "") -> Iterator[EntryBatch]:
        """The batches of one folder from the one where ``name`` is or would be.

        Reads few parts, as entries are in the order of the walk.
        """
        folder = order_of_folder(directory)
        wanted = (folder, os.fsencode(name))
        parts = [part for part in self.parts if self._sources[part.source] == source]
        first = bisect_left(parts, wanted, key=lambda part: _last_of(self.decoded(part)[-1]))
        for batch in chain.from_iterable(map(self.decoded, parts[first:])):
            if folder_order(batch) > folder:
                return
            if _last_of(batch) >= wanted:
                yield batch

    def own_entries(self) -> Iterator[EntryBatch]:
        """The sources themselves."""
        for number in dict.fromkeys(part.source for part in self.parts):
            yield self.decoded(next(part for part in self.parts if part.source == number))[0]

    @property
    def digests(self) -> list[bytes]:
        """Of all that the tree consists of, each once: its parts in order, and the map parts that they need."""
        parts = [part.digest for part in self.parts]
        self._stored.look_into(parts)
        return list(dict.fromkeys(digest for part in parts for digest in (part, *self._stored.maps(part))))

    @cached_property
    def reader(self) -> ListingReader:
        """Random access to the entries; only the parts in use are in memory."""
        first_entries = [part.first_entry for part in self.parts]
        return ListingReader(first_entries, lambda number: self.decoded(self.parts[number]))

    @cached_property
    def parts_of_segments(self) -> dict[str, list[int]]:
        """Segment → the numbers of the parts that refer to it, in order of the first of these."""
        found: dict[str, list[int]] = {}
        self._stored.look_into([part.digest for part in self.parts])
        for number, part in enumerate(self.parts):
            for segment_id in self._stored.segment_ids(part.digest):
                found.setdefault(segment_id, []).append(number)
        return found

    def files_in(self, segment_ids: Collection[str]) -> Iterator[tuple[EntryBatch, int, Place]]:
        """Each place of a file in one of the segments, with its batch and its place there, in entry order."""
        wanted = frozenset(segment_ids)
        for part in self.parts:
            if wanted.isdisjoint(self._stored.segment_ids(part.digest)):
                continue
            for batch in self.decoded(part):
                yield from places_in(batch, wanted)


def _last_of(batch: EntryBatch) -> tuple[list[bytes], bytes]:
    """Where the last entry of the batch is in the order of the walk."""
    return folder_order(batch), os.fsencode(batch.names[-1])


def places_in(batch: EntryBatch, segment_ids: Set[str]) -> Iterator[tuple[EntryBatch, int, Place]]:
    """As :meth:`Tree.files_in`, for one batch."""
    if segment_ids.isdisjoint(batch.places.segment_ids):
        return
    for place in range(len(batch)):
        for found in batch.places_of(place):
            if found.segment_id in segment_ids:
                yield batch, place, found


class Trees:
    def __init__(self, database: Database) -> None:
        self._database = database
        #: Of parts that have been looked into: most snapshots share them.
        self._needs: dict[bytes, PartNeeds] = {}

    def write(self, snapshot_id: str, parts: Iterable[tuple[int, TreePart | PartReference]]) -> None:
        """Record the entries of a snapshot: (source, part) in entry order.  What was recorded before is replaced.

        A reference names a part that the catalog has.
        """
        with self._database.transaction():
            references, pending = list[tuple[bytes, int, int]](), iter(parts)
            while page := list(islice(pending, _LIST_ROWS)):
                references += ((part.digest, source, part.entries_count) for source, part in page)
                new = [part for _, part in page if isinstance(part, TreePart)]
                made = {one.digest: one for part in new for one in (part, *part.maps)}
                self.add_parts({digest: made[digest].data for digest in self.without(made)})
                self._needs.update((digest, one.needs) for digest, one in made.items())
            self.write_list(snapshot_id, references)

    def write_list(self, snapshot_id: str, references: Iterable[tuple[bytes, int, int]]) -> None:
        """Record which parts a snapshot has: (digest, source, number of entries) in entry order."""
        key = self._database.snapshot_key(snapshot_id)
        packed = b"".join(_REFERENCE.pack(*reference) for reference in references)
        with self._database.transaction():
            self._database.write(delete(trees).where(trees.c.snapshot_key == key))
            self._database.write(insert(trees).values(snapshot_key=key, parts=packed))

    def add_parts(self, parts: Mapping[bytes, bytes]) -> None:
        """Record parts, by their digests, as they are stored; those that are there stay."""
        pending = iter(sorted(parts))
        while page := list(islice(pending, _LIST_ROWS)):
            there = self._database.read(select(tree_parts.c.digest).where(tree_parts.c.digest.in_(page)))
            new = set(page) - {row.digest for row in there}
            rows = ((digest, parts[digest]) for digest in new)
            self._database.insert_many(tree_parts, ("digest", "data"), rows, if_absent=True)

    def without(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those of the parts that the catalog does not have."""
        missing, pending = set[bytes](), iter(digests)
        while page := list(islice(pending, _LIST_ROWS)):
            there = self._database.read(select(tree_parts.c.digest).where(tree_parts.c.digest.in_(page)))
            missing |= set(page) - {row.digest for row in there}
        return missing

    def of(self, snapshot_id: str) -> Tree:
        """The entries of a snapshot; raises CatalogError when it has none."""
        key = self._database.snapshot_key(snapshot_id)
        row = self._database.read_one(select(trees.c.parts).where(trees.c.snapshot_key == key))
        if row is None:
            raise CatalogError(f"the catalog has no entries of snapshot {snapshot_id}")
        parts, first_entry = [], 0
        for digest, source, entries_count in _REFERENCE.iter_unpack(row.parts):
            parts.append(
                PartReference(digest=digest, source=source, first_entry=first_entry, entries_count=entries_count)
            )
            first_entry += entries_count
        sources = self._database.read_one(select(snapshots.c.sources).where(snapshots.c.snapshot_key == key))
        assert sources is not None
        return Tree([source["name"] for source in sources.sources], parts, self)

    def digests(self, snapshot_id: str) -> set[bytes]:
        """Of all parts and map parts of a snapshot; none where its entries are not recorded yet, or no more."""
        parts = self.parts_of(snapshot_id)
        return set(parts).union(*map(self.maps, parts))

    def parts_of(self, snapshot_id: str) -> list[bytes]:
        """The digests of its parts in order, without map parts; none where they are not recorded yet, or no more."""
        statement = select(trees.c.parts).join(snapshots, snapshots.c.snapshot_key == trees.c.snapshot_key)
        row = self._database.read_one(statement.where(snapshots.c.snapshot_id == snapshot_id))
        return [] if row is None else [found[0] for found in _REFERENCE.iter_unpack(row.parts)]

    def data(self, digest: bytes) -> bytes:
        """A part as it is stored; raises CatalogError when there is none."""
        row = self._database.read_one(select(tree_parts.c.data).where(tree_parts.c.digest == digest))
        if row is None:
            raise CatalogError(f"the catalog has no tree part {digest.hex()}")
        data: bytes = row.data
        return data

    def data_of(self, digests: Collection[bytes]) -> dict[bytes, bytes]:
        """See :meth:`Parts.data_of`; few parts at a time."""
        rows = self._database.read(
            select(tree_parts.c.digest, tree_parts.c.data).where(tree_parts.c.digest.in_(digests))
        )
        return {row.digest: row.data for row in rows}

    def look_into(self, digests: Collection[bytes]) -> None:
        """See :meth:`Parts.look_into`."""
        pending = (digest for digest in digests if digest not in self._needs)
        while page := list(islice(pending, _PAGE_PARTS)):
            self._needs.update((digest, needs_of(data)) for digest, data in self.data_of(page).items())

    def segment_ids(self, digest: bytes) -> list[str]:
        """The segments that a part needs, by itself and by its map parts."""
        needs = self._needs_of(digest)
        if not needs.maps:
            return needs.segment_ids
        of_maps = (segment_id for one in needs.maps for segment_id in self._needs_of(one).segment_ids)
        return list(dict.fromkeys([*needs.segment_ids, *of_maps]))

    def maps(self, digest: bytes) -> list[bytes]:
        """The digests of the map parts that a part needs."""
        return self._needs_of(digest).maps

    def needs(self, digest: bytes) -> PartNeeds:
        """What a part or map part refers to itself.  Read anew each time: for whoever reads all parts there are."""
        return needs_of(self.data(digest))

    def _needs_of(self, digest: bytes) -> PartNeeds:
        found = self._needs.get(digest)
        if found is None:
            found = self._needs[digest] = self.needs(digest)
        return found

    def record_pack(self, snapshot_id: str, digests: Iterable[bytes]) -> None:
        """Record which parts the snapshot brings to the devices.  What was recorded before is replaced."""
        key = self._database.snapshot_key(snapshot_id)
        with self._database.transaction():
            self._database.write(delete(packed_parts).where(packed_parts.c.snapshot_key == key))
            rows = ((key, digest) for digest in digests)
            self._database.insert_many(packed_parts, ("snapshot_key", "digest"), rows)

    def packed(self, snapshot_id: str) -> set[bytes]:
        """The digests of the parts that the snapshot brings to the devices."""
        key = self._database.snapshot_key(snapshot_id)
        rows = self._database.read(select(packed_parts.c.digest).where(packed_parts.c.snapshot_key == key))
        return {row.digest for row in rows}

    def brought_to(self, device_ids: Collection[str], digests: Iterable[bytes]) -> set[bytes]:
        """Those of the parts that each of these devices has."""
        wanted = set(device_ids)
        rows = self._database.read(select(snapshots.c.snapshot_key, snapshots.c.holders))
        keys = {row.snapshot_key for row in rows if wanted <= set(row.holders)}
        found: set[bytes] = set()
        pending = iter(dict.fromkeys(digests))
        while page := list(islice(pending, _LIST_ROWS)):
            statement = select(packed_parts.c.digest, packed_parts.c.snapshot_key)
            rows = self._database.read(statement.where(packed_parts.c.digest.in_(page)))
            found |= {row.digest for row in rows if row.snapshot_key in keys}
        return found
