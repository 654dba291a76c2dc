"""What snapshots need: tree parts, and the segments that these refer to."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow


class Needed(Struct, frozen=True, kw_only=True):
    """``parts``: tree parts and map parts; ``map_parts``: those of them that have no entries of their own.

    ``segment_ids``: with those that share parity with what is ``referred`` to.
    """

    parts: frozenset[bytes]
    map_parts: frozenset[bytes]
    segment_ids: frozenset[str]
    referred: frozenset[str]


class _Found:
    """What some trees consist of, and refer to.  Each part is looked into once, and nothing else of it is kept."""

    def __init__(self) -> None:
        self.parts: set[bytes] = set()
        self.map_parts: set[bytes] = set()
        self.segment_ids: set[str] = set()

    def add(self, catalog: Catalog, parts: Iterable[bytes]) -> None:
        for digest in parts:
            if digest not in self.parts:
                self.parts.add(digest)
                self._add_needs(catalog, digest)

    def _add_needs(self, catalog: Catalog, digest: bytes) -> None:
        needs = catalog.trees.needs(digest)
        self.segment_ids.update(needs.segment_ids)
        for one in needs.maps:
            if one not in self.map_parts:
                self.map_parts.add(one)
                self.segment_ids.update(catalog.trees.needs(one).segment_ids)


class NeededFinder:
    """Reads each tree of a sealed snapshot once, however often it is asked; for one run.

    A snapshot that is forgotten meanwhile counts until the end of the run.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._read: set[str] = set()
        self._of_sealed = _Found()

    def find(self) -> Needed:
        """What is needed now: by sealed snapshots, by open ones, and by those that these are compared with.

        What shares parity with something that is needed is needed with it.
        A segment of an open snapshot is no garbage anyway (:mod:`producer.catalog.tables.garbage`).
        """
        catalog, sealed = self._catalog, self._of_sealed
        for row in reversed(catalog.snapshots.all()):
            if row.snapshot_id not in self._read:
                sealed.add(catalog, catalog.trees.parts_of(row.snapshot_id))
                self._read.add(row.snapshot_id)
        # That of an open one changes until it is sealed.
        others = _Found()
        others.parts |= sealed.parts
        opened = catalog.snapshots.all("open")
        for snapshot_id in {row.snapshot_id for row in opened} | parents_of(opened):
            others.add(catalog, catalog.trees.parts_of(snapshot_id))
        map_parts = frozenset(sealed.map_parts | others.map_parts)
        needed = sealed.segment_ids | others.segment_ids | catalog.garbage.healed_by_open()
        return Needed(
            parts=map_parts.union(others.parts),
            map_parts=map_parts,
            segment_ids=frozenset(needed | catalog.parity.closed(needed)),
            referred=frozenset(needed),
        )


def parents_of(opened: list[SnapshotRow]) -> set[str]:
    """The snapshots that open ones are compared with, forgotten or not."""
    return {row.parent_id for row in opened} - {""}
