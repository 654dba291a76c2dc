"""The snapshot of files that headers of objects name: content, names and sizes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from producer.catalog.tables.snapshots.rows import SnapshotRow, SourceRow
from producer.listing.places.places import Place
from producer.listing.places.stored_ranges import without
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter
from producer.pool.manifests.unknown_snapshots import recovered_id
from producer.rebuild.header_tree import NamedRange, Owner, batches_of
from tasks.orders.cleaning import ObjectContent

#: Of a volume's name; it has 63 characters at most.
_NAME_CHARACTERS = 53


class NamedFiles:
    """What the headers of one snapshot's objects say."""

    def __init__(self) -> None:
        self._volume = ""
        self._ranges: defaultdict[str, list[NamedRange]] = defaultdict(list)

    def add(self, content: ObjectContent, *, without_ranges: Sequence[tuple[int, int]]) -> None:
        """Take what an object holds, but for files that lie in these ranges of its segment."""
        if content.origin is not None:
            self._volume = content.origin.volume
            self._ranges[content.origin.source] += _ranges_in(content, without_ranges)

    @property
    def count(self) -> int:
        return sum(len({one.path for one in ranges}) for ranges in self._ranges.values())

    @property
    def _sources(self) -> list[str]:
        return sorted(source for source, ranges in self._ranges.items() if ranges)

    def parts(self) -> Iterator[tuple[int, TreePart]]:
        """(source, part) in entry order.  The files belong to the user who runs this: headers name no owner."""
        owner = Owner(uid=os.getuid(), gid=os.getgid())
        for number, source in enumerate(self._sources):
            writer = TreeWriter()
            for batch in batches_of(source, self._ranges[source], owner):
                yield from ((number, part) for part in writer.add(batch))
            yield from ((number, part) for part in writer.flush())

    def snapshot_row(self, snapshot_id: str, pool_id: str) -> SnapshotRow:
        """``snapshot_id``: whose files these are.  Its own time is not known: it counts as made now."""
        now = datetime.now(UTC)
        return SnapshotRow(
            snapshot_id=recovered_id(snapshot_id),
            pool_id=pool_id,
            volume=f"recovered-{self._volume[:_NAME_CHARACTERS]}",
            mode="files",
            state="sealed",
            hostname="",
            tags=(),
            description=f"files of snapshot {snapshot_id} of which no manifest is left",
            sources=tuple(SourceRow(name=source, path="") for source in self._sources),
            request={},
            started_at=now,
            planned_at=now,
            sealed_at=now,
            threshold_bytes=0,
            bundle_limit_bytes=0,
            unit_bytes=0,
            block_bytes=0,
            level=0,
            entries_count=sum(part.entries_count for _, part in self.parts()),
            files_count=self.count,
            bytes_source=sum(one.place.size_bytes for ranges in self._ranges.values() for one in ranges),
            bytes_stored=0,
            segments_count=0,
            lacks=(),
        )


def _ranges_in(content: ObjectContent, taken: Sequence[tuple[int, int]]) -> Iterator[NamedRange]:
    """The object's extents with their places in its segment; without those that were not read, or are taken."""
    assert content.origin is not None
    origin, unread = content.origin, frozenset(content.origin.unread)
    ranges = iter(content.ranges)
    at = stop = 0
    for index, extent in enumerate(origin.extents):
        while extent.size_bytes and at == stop:
            # No extent lies in two ranges.
            at, size_bytes = next(ranges)
            stop = at + size_bytes
        if extent.size_bytes and index not in unread and without([(at, extent.size_bytes)], taken):
            place = Place(content.segment_id, at, extent.offset_bytes, extent.size_bytes)
            yield NamedRange(path=extent.path, place=place, number=origin.number)
        at += extent.size_bytes
