"""Which stored objects the data of a restore is read from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from producer.catalog.catalog import Catalog
from producer.catalog.holders import Holder, holders_of, ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tree import Tree
from producer.listing.places.places import Place
from producer.pool.parity.group_reads import GroupReads
from tasks.errors import CatalogError


class Reach:
    """Of one snapshot; ``present`` are the ids of the devices that are there, None before anybody has looked."""

    def __init__(self, catalog: Catalog, snapshot_id: str, tree: Tree) -> None:
        self.present: Collection[str] | None = None
        self._snapshot_id = snapshot_id
        self._tree = tree
        self._index = catalog.objects.of(tree.parts_of_segments)
        self._groups = GroupReads(catalog)

    def holders_of(self, segment_id: str) -> list[Holder]:
        """What its data is read from; raises CatalogError for a segment that the index does not have."""
        objects = self._index.get(segment_id)
        if objects is None:
            raise CatalogError(
                f"the catalog does not know segment {segment_id}, which snapshot {self._snapshot_id[:8]} needs",
                hint="segfleet rebuild looks for it on the devices",
            )
        return holders_of(objects, self.present, self._is_made)

    def is_out_of(self, one: StoredObject) -> bool:
        """Whether neither its device is there nor parity gives it."""
        return one.device_id not in (self.present or ()) and not self._is_made(one)

    def incomplete(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Each segment of which no device has all any more, and what there is of it."""
        for segment_id, objects in self._index.items():
            if not any(one.is_whole for one in objects):
                yield segment_id, ranges_of(objects)

    def divided(self) -> Iterator[int]:
        """The entries whose data is read from several objects."""
        holders = {key: held for key in self._index if len(held := self.holders_of(key)) > 1}
        for batch, at, place in self._tree.files_in(holders) if holders else ():
            if _is_divided(holders[place.segment_id], place):
                yield batch.first_entry + at

    def _is_made(self, one: StoredObject) -> bool:
        """Whether parity gives it from what is on the devices that are there."""
        return self._groups.can_read(one, self.present or ())


def _is_divided(holders: list[Holder], place: Place) -> bool:
    parts = [list(one.parts_of(place.stream_offset_bytes, place.size_bytes)) for one in holders]
    return len([part for part in parts if part]) > 1
