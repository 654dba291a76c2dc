"""The entries of one sealed snapshot, read part by part."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain
from typing import Protocol

from msgspec import Struct

from producer.listing.entry import EntryBatch
from producer.listing.part_head import WholeFiles
from producer.listing.places.places import Place
from producer.listing.reader import ListingReader
from producer.listing.tree.decoding import decode_tree_part
from producer.listing.tree.placed import PlacedBatch, decode_placed
from producer.listing.walk_order import folder_order, order_of_folder
from tasks.errors import CatalogError, DamagedError, SegfleetError

#: Tree parts in memory at once: some 400 KB.
PAGE_PARTS = 32


HINT_REBUILD = "segfleet rebuild reads it again from the devices"


def damaged_part(digest: bytes, error: DamagedError) -> DamagedError:
    """``error``: why a part cannot be read."""
    return DamagedError(f"tree part {digest.hex()} in the catalog is damaged: {error}", hint=HINT_REBUILD)


class PartReference(Struct, frozen=True, kw_only=True):
    """A part in its place in a snapshot.  ``source`` counts the snapshot's sources from 0."""

    digest: bytes
    source: int
    first_entry: int
    entries_count: int


class Parts(Protocol):
    """What has the parts."""

    def data(self, digest: bytes) -> bytes: ...

    def data_of(self, digests: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Those that there are of some parts, by their digests: one question costs less than one for each."""

    def look_into(self, digests: Collection[bytes]) -> None:
        """Learn at once what these need."""

    def segment_ids(self, digest: bytes) -> list[str]: ...
    def whole_files(self, digest: bytes) -> Mapping[str, WholeFiles] | None: ...
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

    def readable(
        self, source: int, on_damage: Callable[[SegfleetError], None], after_entry: int = 0
    ) -> Iterator[EntryBatch]:
        """The batches of one source that end after an entry.

        Parts that are missing or damaged are left out, and ``on_damage`` gets why.
        """
        for number, part in enumerate(self.parts):
            if part.source != source or part.first_entry + part.entries_count <= after_entry:
                continue
            try:
                batches = self.reader.part(number)
            except (CatalogError, DamagedError) as error:
                on_damage(error)
            else:
                yield from (batch for batch in batches if batch.stop_entry > after_entry)

    def whole_files(self) -> Iterator[tuple[PartReference, Mapping[str, WholeFiles] | None]]:
        """Each part, and how many of its files lie in which segment; None where some lie in several places."""
        self._stored.look_into([part.digest for part in self.parts])
        for part in self.parts:
            yield part, self._stored.whole_files(part.digest)

    def placed(self, parts: Sequence[PartReference]) -> Iterator[PlacedBatch]:
        """As :meth:`batches`, of some parts, but only where the bytes of files are: a fraction of the work."""
        for part, data in self._read(parts):
            yield from decode_placed(data or self._stored.data(part.digest), self._stored.data, part.digest)

    def mapped(self) -> Iterator[EntryBatch]:
        """The batches of the parts that have files with map parts (files of many places)."""
        for part in self.parts:
            if self._stored.maps(part.digest):
                yield from self.decoded(part)

    def source_of(self, part: PartReference) -> str:
        """The name of the source that the part is of."""
        return self._sources[part.source]

    def decoded(self, part: PartReference) -> list[EntryBatch]:
        return self._decoded(part, None)

    def _decoded(self, part: PartReference, data: bytes | None) -> list[EntryBatch]:
        """``data``: of the part, where it has been read; what is missing raises the error of its reader."""
        source, data = self._sources[part.source], data or self._stored.data(part.digest)
        try:
            return decode_tree_part(data, source, part.first_entry, self._stored.data, part.digest)
        except DamagedError as error:
            raise damaged_part(part.digest, error) from None

    def _read(self, parts: Sequence[PartReference]) -> Iterator[tuple[PartReference, bytes | None]]:
        """The parts in order, with their data, a page of them in memory; None for one that is missing."""
        for start in range(0, len(parts), PAGE_PARTS):
            page = parts[start : start + PAGE_PARTS]
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
        pages: dict[int, Mapping[bytes, bytes]] = {}

        def load(number: int) -> list[EntryBatch]:
            page = number // PAGE_PARTS
            if page not in pages:
                pages.clear()
                first = page * PAGE_PARTS
                pages[page] = self._stored.data_of({part.digest for part in self.parts[first : first + PAGE_PARTS]})
            return self._decoded(self.parts[number], pages[page].get(self.parts[number].digest))

        return ListingReader(first_entries, load)

    @cached_property
    def parts_of_segments(self) -> dict[str, list[int]]:
        """Segment → the numbers of the parts that refer to it, in order of the first of these."""
        found: dict[str, list[int]] = {}
        self._stored.look_into([part.digest for part in self.parts])
        for number, part in enumerate(self.parts):
            for segment_id in self._stored.segment_ids(part.digest):
                found.setdefault(segment_id, []).append(number)
        return found

    def readable_segments(self, on_damage: Callable[[SegfleetError], None]) -> list[str]:
        """The segments that its parts refer to; see :meth:`readable`."""
        found: dict[str, None] = {}
        self._stored.look_into([part.digest for part in self.parts])
        for part in self.parts:
            try:
                found.update(dict.fromkeys(self._stored.segment_ids(part.digest)))
            except (CatalogError, DamagedError) as error:
                on_damage(error)
        return list(found)

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
