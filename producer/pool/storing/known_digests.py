"""The digests of what earlier segments hold of the files that an order names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from producer.catalog.catalog import Catalog
from producer.listing.places.places import Place
from producer.listing.places.stored_cells import StoredCells
from tasks.digests import NO_DIGEST

#: Segments whose cells are in memory: some MB each at most.
_SEGMENTS_COUNT = 64


class KnownDigests:
    """Reads the digests of a segment from the catalog when they are needed first."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cells: OrderedDict[str, StoredCells] = OrderedDict()

    def of(self, places: Sequence[Place | None]) -> bytes:
        """One for each place, NO_DIGEST where none is known; nothing when all are unknown."""
        found = [self.digest(place) for place in places]
        return b"".join(found) if any(digest != NO_DIGEST for digest in found) else b""

    def digest(self, place: Place | None) -> bytes:
        """NO_DIGEST where none is known."""
        if place is None:
            return NO_DIGEST
        size_bytes, digest = self._cells_of(place.segment_id).get(place.stream_offset_bytes, (0, NO_DIGEST))
        return digest if size_bytes == place.size_bytes else NO_DIGEST

    def _cells_of(self, segment_id: str) -> StoredCells:
        cells = self._cells.get(segment_id)
        if cells is None:
            cells = self._cells[segment_id] = self._catalog.cells.of(segment_id)
            if len(self._cells) > _SEGMENTS_COUNT:
                self._cells.popitem(last=False)
        self._cells.move_to_end(segment_id)
        return cells
