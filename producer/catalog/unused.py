"""How much of what is stored no snapshot needs: what prune frees, and what ``stats`` shows."""

from __future__ import annotations

from producer.catalog.catalog import Catalog
from producer.catalog.living import LivingRanges, Ranges
from producer.catalog.needed import Needed, NeededFinder
from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import bytes_in


class Unused:
    """What is needed of each stored object.  Reads every tree part once."""

    def __init__(self, catalog: Catalog, finder: NeededFinder | None = None) -> None:
        self._catalog = catalog
        self._finder = finder or NeededFinder(catalog)
        self._living = LivingRanges(catalog)
        self.look()

    def look(self) -> None:
        """Count what has come since the last look; what was needed then counts still."""
        self.needed: Needed = self._finder.find()
        self._living.read(self.needed)
        states = self._catalog.snapshots.states()
        self._ended = {snapshot_id for snapshot_id, state in states.items() if state != "open"}

    def may_go(self, stored: StoredObject) -> bool:
        """Whether this catalog has ended the snapshot that stored it: of others nobody can say who needs them."""
        return stored.snapshot_id in self._ended

    def living_of(self, stored: StoredObject) -> Ranges:
        """The ranges of its segment that it holds and somebody needs."""
        if not self.may_go(stored):
            return stored.ranges
        return self._living.in_object(stored) if stored.segment_id in self.needed.segment_ids else ()

    def bytes_of(self, stored: StoredObject) -> int:
        """The stored bytes of it that nothing needs: its share, as if all of it were equally compressed."""
        if not self.may_go(stored):
            return 0
        if stored.segment_id not in self.needed.segment_ids:
            return stored.bytes_stored
        return unused_bytes(stored, self.living_of(stored))


def unused_bytes(stored: StoredObject, living: Ranges) -> int:
    """The share of the stored bytes that do not hold ``living``."""
    dead_bytes = stored.size_bytes - bytes_in(living)
    return stored.bytes_stored * dead_bytes // stored.size_bytes if stored.size_bytes else 0
