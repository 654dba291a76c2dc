"""Each sealed snapshot's list of tree parts, and the parts, which snapshots share."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from sqlalchemy import delete, insert, select

from producer.catalog.database.database import Database
from producer.catalog.schema import packed_parts, snapshots, tree_parts, trees
from producer.catalog.tree import PAGE_PARTS, PartReference, Tree
from producer.listing.part_head import PartNeeds, WholeFiles
from producer.listing.tree.decoding import needs_of
from producer.listing.tree.tree_part import TreePart
from tasks.errors import CatalogError

#: In the list of a snapshot: digest, source, entries.
_REFERENCE = struct.Struct("<32sII")

#: Digests in one IN list.
_LIST_ROWS = 500


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
        """The digests of all parts and map parts of a snapshot; none while its entries are not recorded."""
        parts = self.parts_of(snapshot_id)
        return set(parts).union(*map(self.maps, parts))

    def parts_of(self, snapshot_id: str) -> list[bytes]:
        """The digests of its parts in order, without map parts; none while they are not recorded."""
        statement = select(trees.c.parts).join(snapshots, snapshots.c.snapshot_key == trees.c.snapshot_key)
        row = self._database.read_one(statement.where(snapshots.c.snapshot_id == snapshot_id))
        return [] if row is None else [found[0] for found in _REFERENCE.iter_unpack(row.parts)]

    def parts_of_sealed(self) -> dict[str, frozenset[bytes]]:
        """Sealed snapshot → the digests of its parts, without map parts; read at once."""
        statement = select(snapshots.c.snapshot_id, trees.c.parts)
        of_sealed = statement.join(snapshots, snapshots.c.snapshot_key == trees.c.snapshot_key)
        rows = self._database.read(of_sealed.where(snapshots.c.state == "sealed"))
        return {row.snapshot_id: frozenset(found[0] for found in _REFERENCE.iter_unpack(row.parts)) for row in rows}

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
        while page := list(islice(pending, PAGE_PARTS)):
            self._needs.update((digest, needs_of(data)) for digest, data in self.data_of(page).items())

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
