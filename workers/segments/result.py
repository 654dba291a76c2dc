"""What the receipt of a stored segment says."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from tasks.digests import split_digests
from tasks.orders import StoreSegment
from tasks.receipts import FileState, StoreResult
from workers.progress import Stages
from workers.segments.stored import StoredSegment


class Stored(Struct, frozen=True, kw_only=True):
    """``segment`` holds the extents at these ``places`` of the order; None for none: all others are unchanged."""

    places: Sequence[int]
    segment: StoredSegment | None
    file_state: FileState | None


def store_result(order: StoreSegment, stored: Stored, stages: Stages, *, found: bool, free_bytes: int) -> StoreResult:
    """The receipt's result: about the extents of the order, by their index there, whichever the segment holds."""
    segment, places = stored.segment, stored.places
    notes = segment.notes if segment is not None else ()
    extent_digests = dict(enumerate(split_digests(order.known_digests)))
    extent_digests |= zip(places, split_digests(segment.extent_digests if segment is not None else b""), strict=True)
    return StoreResult(
        bytes_source=sum(order.extents.sizes_bytes[place] for place in places),
        bytes_stored=segment.stored_bytes if segment is not None else 0,
        units_count=segment.units_count if segment is not None else 0,
        notes=tuple(replace(note, index=places[note.index]) for note in notes),
        file_state=stored.file_state,
        found=found,
        free_bytes=free_bytes,
        timing=stages.timing(),
        trailer_digest=segment.trailer_digest.hex() if segment is not None else "",
        extent_digests=b"".join(extent_digests[place] for place in range(len(order.extents))),
        cell_digests=segment.cell_digests if segment is not None else b"",
        unchanged=tuple(sorted(set(range(len(order.extents))) - set(places))),
    )
