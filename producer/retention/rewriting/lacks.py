"""What an incomplete snapshot still lacks without the files that go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow
from producer.listing.entry import NOT_STORED, EntryBatch


class Lacking:
    """Counts, file by file, what goes of it."""

    def __init__(self, lacks: Sequence[LackRow], objects: Mapping[str, Sequence[StoredObject]]) -> None:
        """``objects``: of each segment of the snapshot."""
        self._lacks = lacks
        on = {segment_id: {row.device_id for row in rows} for segment_id, rows in objects.items()}
        #: Segments that only one device holds.
        self._only_on = {segment_id: next(iter(ids)) for segment_id, ids in on.items() if len(ids) == 1}
        self._lying, self._lying_bytes = Counter[str](), Counter[str]()
        self._omitted = self._omitted_bytes = 0

    def note(self, batch: EntryBatch, place: int) -> None:
        """A file that goes."""
        places = list(batch.places_of(place))
        code, _ = batch.unread.get(batch.names[place], ("", ""))
        if code == NOT_STORED:
            self._omitted += 1
            self._omitted_bytes += batch.data_bytes_at(place) - sum(one.size_bytes for one in places)
            return
        on = Counter[str]()
        for one in places:
            on[self._only_on.get(one.segment_id, "")] += one.size_bytes
        self._lying.update(on.keys())
        self._lying_bytes.update(on)

    def left(self) -> tuple[LackRow, ...]:
        """What is left of the lacks, without devices that lack nothing any more."""
        return tuple(row for row in map(self._left_of, self._lacks) if row.files_count)

    def _left_of(self, row: LackRow) -> LackRow:
        omitted = min(self._omitted, row.omitted_files_count)
        omitted_bytes = min(self._omitted_bytes, row.omitted_bytes)
        # Which device was to store it, nobody knows any more: the first that has such files.
        self._omitted -= omitted
        self._omitted_bytes -= omitted_bytes
        files_count = row.files_count - omitted - self._lying[row.device_id]
        return replace(
            row,
            files_count=max(row.omitted_files_count - omitted, files_count),
            size_bytes=max(
                row.omitted_bytes - omitted_bytes,
                row.size_bytes - omitted_bytes - self._lying_bytes[row.device_id],
            ),
            omitted_files_count=row.omitted_files_count - omitted,
            omitted_bytes=row.omitted_bytes - omitted_bytes,
        )
