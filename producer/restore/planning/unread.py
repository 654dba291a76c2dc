"""What the backup could not read or store of a file."""

from __future__ import annotations

from msgspec import Struct, field

from producer.listing import EntryBatch
from producer.listing.data_ranges import data_bytes, part_of
from producer.raw.ranges import Range, gaps, merged
from producer.restore.outcome.holes import Hole


class UnreadFile(Struct, kw_only=True):
    """A file that the backup could not read or store, or not completely."""

    snapshot_path: str
    holes: list[Hole] = field(default_factory=list)

    @property
    def missing_bytes(self) -> int:
        return sum(hole.size_bytes for hole in self.holes)


def unread_file(batch: EntryBatch, place: int, snapshot_path: str) -> UnreadFile:
    """The ranges that no place of the file covers, and why."""
    ranges = batch.ranges_at(place)
    stored = merged(Range(one.offset_bytes, one.offset_bytes + one.size_bytes) for one in batch.places_of(place))
    _, why = batch.unread[batch.names[place]]
    holes = [
        Hole(offset_bytes=offset_bytes, size_bytes=size_bytes, why=why)
        for gap in gaps(stored, data_bytes(ranges))
        for offset_bytes, size_bytes in part_of(ranges, gap.start, gap.stop)
    ]
    return UnreadFile(snapshot_path=snapshot_path, holes=holes)
