"""What an interrupted run has stored of large files and raw volumes: it overlays what the parent has of them.

So a file that has changed since the interruption is compared with both, and no cell is stored twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from producer.backup.sealing.placing import sealed_batches
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.compared import comparable, overlaid
from producer.listing.data_ranges import DataRanges
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place, PlacesWriter


class _Before(Struct, frozen=True, kw_only=True):
    """A file as the interrupted run saw it; its places in segments of that snapshot.

    ``compared``: what the run compared it with; ``stored``: that, overlaid by what it has stored.
    """

    state: tuple[int, int, int]
    ranges: DataRanges
    compared: list[Place]
    stored: list[Place]

    def places_for(self, batch: EntryBatch, place: int) -> list[Place]:
        """What the file at ``place`` of the walk is compared with, before the parent.

        For a file that is as it was, the same as then: so its plan stands.
        """
        found = self.compared if self.state == _state(batch, place) else self.stored
        sizes_bytes = self.state[0], batch.sizes_bytes[place]
        return comparable(found, self.ranges, batch.ranges_at(place), sizes_bytes)


class Overlay:
    """Of the open ``snapshot``, whose listing is still that of the interrupted run.

    Only what lies on these devices counts.
    """

    def __init__(self, catalog: Catalog, snapshot: SnapshotRow, device_ids: Collection[str]) -> None:
        #: The segments of the snapshot that files are compared with.
        self.compared: set[str] = set()
        self._own = _segments_on(catalog, snapshot, device_ids)
        self._files = defaultdict[tuple[str, str], dict[str, _Before]](dict)
        rows = catalog.segments.by_entries(snapshot.snapshot_id)
        entries = {row.first_entry for row in rows if row.stop_entry - row.first_entry == 1}
        if entries:
            listed = catalog.listing.batches(snapshot.snapshot_id)
            for batch, sealed in zip(listed, sealed_batches(catalog, snapshot), strict=True):
                self._note(batch, sealed, entries)

    def over(self, batch: EntryBatch) -> EntryBatch:
        """The walk's batch, with more that its files are compared with."""
        known = self._files.get((batch.source, batch.prefix))
        if not known:
            return batch
        writer = PlacesWriter(len(batch))
        for place, name in enumerate(batch.names):
            places = list(batch.former_places_of(place))
            if name in known and batch.kinds[place] == "f" and not batch.places.has(place, name):
                over = known[name].places_for(batch, place)
                self.compared |= {one.segment_id for one in over}
                places = overlaid(places, over)
            writer.add(place, name, batch.data_bytes_at(place), places)
        return replace(batch, former=writer.places())

    def _note(self, batch: EntryBatch, sealed: EntryBatch, entries: Collection[int]) -> None:
        for place, name in enumerate(batch.names):
            if batch.first_entry + place in entries:
                former = list(batch.former_places_of(place))
                self._files[batch.source, batch.prefix][name] = _Before(
                    state=_state(batch, place),
                    ranges=batch.ranges_at(place),
                    compared=self._of_own(former),
                    stored=self._of_own(overlaid(former, list(sealed.places_of(place)))),
                )

    def _of_own(self, places: Sequence[Place]) -> list[Place]:
        return [one for one in places if one.segment_id in self._own]


def _segments_on(catalog: Catalog, snapshot: SnapshotRow, device_ids: Collection[str]) -> set[str]:
    objects = catalog.objects.of(catalog.garbage.indexed_by(snapshot.snapshot_id)).values()
    found = (one for one in chain.from_iterable(objects) if one.snapshot_id == snapshot.snapshot_id)
    return {one.segment_id for one in found if one.device_id in device_ids and not one.is_damaged}


def _state(batch: EntryBatch, place: int) -> tuple[int, int, int]:
    return batch.sizes_bytes[place], batch.mtimes_ns[place], batch.ctimes_ns[place]
