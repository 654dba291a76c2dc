"""What the backup could not read or store of a snapshot's files, from its segments and their notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing import ListingReader, SegmentContents, extents_of
from producer.restore.holes import Hole
from tasks.receipts import UNREAD


@dataclass(kw_only=True, slots=True)
class UnreadFile:
    """A file that the backup could not read or store, or not completely."""

    snapshot_path: str
    holes: list[Hole] = field(default_factory=list)

    @property
    def missing_bytes(self) -> int:
        return sum(hole.size_bytes for hole in self.holes)


class ShortExtent(NamedTuple):
    """An extent of which less was read than planned."""

    entry: int
    snapshot_path: str
    #: What is missing of the file: the rest of a piece, or all of a small file that could not be read to its end.
    hole: Hole
    #: Whether the file ended there when it was read; otherwise it could not be read.
    has_ended: bool


def noted_entries(row: SegmentRow, reader: ListingReader, bundle_limit_bytes: int) -> set[int]:
    """The files of one stored segment that were not read as planned."""
    if not row.notes:
        return set()
    contents = _contents(row, reader, bundle_limit_bytes)
    return {contents.entries[note["index"]] for note in row.notes}


def short_extents(row: SegmentRow, reader: ListingReader, bundle_limit_bytes: int) -> Iterator[ShortExtent]:
    """The unread extents of one stored segment; most have none, and then the listing is not read."""
    if not row.notes:
        return
    contents = _contents(row, reader, bundle_limit_bytes)
    is_piece = row.stop_entry - row.first_entry == 1
    for note in row.notes:
        index, has_ended = note["index"], note["trouble"] not in UNREAD
        path, size_bytes = contents.extents.paths[index], contents.extents.sizes_bytes[index]
        if note["read_bytes"] < size_bytes:
            kept_bytes = note["read_bytes"] if is_piece or has_ended else 0
            yield ShortExtent(
                entry=contents.entries[index],
                snapshot_path=f"{contents.source}/{path}" if path else contents.source,
                hole=Hole(
                    offset_bytes=contents.extents.offsets_bytes[index] + kept_bytes,
                    size_bytes=size_bytes - kept_bytes,
                    why=f"the backup could not read them: {note['message']}",
                ),
                has_ended=has_ended,
            )


def omitted_extents(row: SegmentRow, reader: ListingReader, bundle_limit_bytes: int) -> Iterator[ShortExtent]:
    """The extents of a segment that the snapshot was sealed without."""
    contents = _contents(row, reader, bundle_limit_bytes)
    why = f"the backup could not store them: device {row.device} died, and the others had no room"
    for index, entry in enumerate(contents.entries):
        path, size_bytes = contents.extents.paths[index], contents.extents.sizes_bytes[index]
        yield ShortExtent(
            entry=entry,
            snapshot_path=f"{contents.source}/{path}" if path else contents.source,
            hole=Hole(offset_bytes=contents.extents.offsets_bytes[index], size_bytes=size_bytes, why=why),
            has_ended=False,
        )


def _contents(row: SegmentRow, reader: ListingReader, bundle_limit_bytes: int) -> SegmentContents:
    return extents_of(
        reader.batches(row.first_entry, row.stop_entry),
        first_entry=row.first_entry,
        stop_entry=row.stop_entry,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
        bundle_limit_bytes=bundle_limit_bytes,
    )
