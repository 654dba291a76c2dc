"""Each sealed snapshot's list of tree parts, and the parts, which snapshots share."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert, select

from producer.catalog.database.database import Database
from producer.catalog.schema import packed_parts, snapshots, tree_parts, trees
from producer.catalog.tree import HINT_REBUILD, PAGE_PARTS, PartReference, Tree, damaged_part
from producer.listing.part_head import PartNeeds, WholeFiles
from producer.listing.tree.decoding import needs_of
from producer.listing.tree.tree_part import TreePart
from tasks.errors import CatalogError, DamagedError

#: In the list of a snapshot: digest, source, entries.
_REFERENCE = struct.Struct("<32sII")

#: Digests in one IN list.
_LIST_ROWS = 500

_LISTS = select(
    snapshots.c.snapshot_id, snapshots.c.state, snapshots.c.sources, snapshots.c.entries_count, trees.c.parts
).join_from(snapshots, trees, snapshots.c.snapshot_key == trees.c.snapshot_key, isouter=True)


def _references(row: Any) -> list[tuple[bytes, int, int]]:
    """The list of a row of ``_LISTS``: (digest, source, entries).  That of a sealed snapshot has all its entries."""
    packed: bytes = row.parts or b""
    if len(packed) % _REFERENCE.size:
        raise _no_entries(row.snapshot_id)
    found: list[tuple[bytes, int, int]] = list(_REFERENCE.iter_unpack(packed))
    if row.state == "sealed" and sum(entries_count for _, _, entries_count in found) != row.entries_count:
        raise _no_entries(row.snapshot_id)
    return found


def _no_entries(snapshot_id: str) -> CatalogError:
    return CatalogError(f"the catalog has not all entries of snapshot {snapshot_id}", hint=HINT_REBUILD)


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
        row = self._database.read_one(_LISTS.where(snapshots.c.snapshot_key == key))
        assert row is not None
        if row.parts is None:
            raise _no_entries(snapshot_id)
        parts, first_entry = [], 0
        for digest, source, entries_count in _references(row):
            parts.append(
                PartReference(digest=digest, source=source, first_entry=first_entry, entries_count=entries_count)
            )
            first_entry += entries_count
        return Tree([source["name"] for source in row.sources], parts, self)

    def digests(self, snapshot_id: str) -> set[bytes]:
        """The digests of all parts and map parts of a snapshot; none while its entries are not recorded."""
        parts = self.parts_of(snapshot_id)
        return set(parts).union(*map(self.maps, parts))

    def parts_of(self, snapshot_id: str) -> list[bytes]:
        """The digests of its parts in order, without map parts; none while they are not recorded.

        Raises CatalogError for a sealed snapshot of which they are not whole: what it needs must not count as unneeded.
        """
        row = self._database.read_one(_LISTS.where(snapshots.c.snapshot_id == snapshot_id))
        return [] if row is None else [digest for digest, _, _ in _references(row)]

    def parts_of_sealed(self) -> dict[str, frozenset[bytes]]:
        """Sealed snapshot → the digests of its parts, without map parts; read at once.  See :meth:`parts_of`."""
        rows = self._database.read(_LISTS.where(snapshots.c.state == "sealed"))
        return {row.snapshot_id: frozenset(digest for digest, _, _ in _references(row)) for row in rows}

    def are_whole(self, snapshot_id: str) -> bool:
        """Whether the list of a sealed snapshot has all its entries."""
        try:
            self.parts_of(snapshot_id)
        except CatalogError:
            return False
        return True

    def all_data(self) -> Iterator[tuple[bytes, bytes]]:
        """All parts and map parts, by digest, as they are stored; a page of them in memory."""
        after = b""
        statement = select(tree_parts.c.digest, tree_parts.c.data).order_by(tree_parts.c.digest).limit(PAGE_PARTS)
        while page := list(self._database.read(statement.where(tree_parts.c.digest > after))):
            yield from ((row.digest, row.data) for row in page)
            after = page[-1].digest

    def drop(self, digests: Iterable[bytes]) -> None:
        """Forget parts that are not what their digests say."""
        with self._database.transaction():
            for digest in digests:
                self._needs.pop(digest, None)
                self._database.write(delete(tree_parts).where(tree_parts.c.digest == digest))

    def data(self, digest: bytes) -> bytes:
        """A part as it is stored; raises CatalogError when there is none."""
        row = self._database.read_one(select(tree_parts.c.data).where(tree_parts.c.digest == digest))
        if row is None:
            raise CatalogError(f"the catalog has no tree part {digest.hex()}", hint=HINT_REBUILD)
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
        while page := list(islice(pending, PAGE_PARTS)):
            for digest, data in self.data_of(page).items():
                with suppress(DamagedError):
                    self._needs[digest] = needs_of(data)

    def segment_ids(self, digest: bytes) -> list[str]:
        """The segments that a part needs, by itself and by its map parts."""
        needs = self._needs_of(digest)
        if not needs.maps:
            return needs.segment_ids
        of_maps = (segment_id for one in needs.maps for segment_id in self._needs_of(one).segment_ids)
        return list(dict.fromkeys([*needs.segment_ids, *of_maps]))

    def whole_files(self, digest: bytes) -> Mapping[str, WholeFiles] | None:
        """How many files of a part lie in which segment; None where some lie in several places."""
        return self._needs_of(digest).whole_files

    def maps(self, digest: bytes) -> list[bytes]:
        """The digests of the map parts that a part needs."""
        return self._needs_of(digest).maps

    def needs(self, digest: bytes) -> PartNeeds:
        """What a part or map part refers to itself.  Not cached: for callers that read all parts."""
        try:
            return needs_of(self.data(digest))
        except DamagedError as error:
            raise damaged_part(digest, error) from None

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
        """The given parts that every one of these devices has."""
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
