"""What snapshots need: tree parts, and the segments that these refer to."""

from __future__ import annotations

from dataclasses import dataclass

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    parts: frozenset[bytes]
    segment_ids: frozenset[str]


class NeededFinder:
    """Reads each tree of a sealed snapshot once, however often it is asked; for one run.

    A snapshot that is forgotten meanwhile counts until the end of the run.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._read: set[str] = set()
        self._of_sealed: set[bytes] = set()

    def find(self) -> Needed:
        """What is needed now: by sealed snapshots, by open ones, and by those that these are compared with.

        A segment of an open snapshot is no garbage anyway (:mod:`producer.catalog.tables.garbage`).
        """
        sealed, opened = self._catalog.snapshots.all(), self._catalog.snapshots.all("open")
        for snapshot_id in {row.snapshot_id for row in sealed} - self._read:
            self._of_sealed |= self._catalog.trees.digests(snapshot_id)
            self._read.add(snapshot_id)
        parts = set(self._of_sealed)
        for snapshot_id in {row.snapshot_id for row in opened} | parents_of(opened):
            # That of an open one changes until it is sealed.
            parts |= self._catalog.trees.digests(snapshot_id)
        segment_ids = {found for digest in parts for found in self._catalog.trees.segment_ids(digest)}
        segment_ids |= self._catalog.garbage.references_of_open()
        return Needed(parts=frozenset(parts), segment_ids=frozenset(segment_ids))


def parents_of(opened: list[SnapshotRow]) -> set[str]:
    """The snapshots that open ones are compared with, forgotten or not."""
    return {row.parent_id for row in opened} - {""}
