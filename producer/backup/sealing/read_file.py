"""What receipts say of one file: where its bytes are, and whether it was as the walk saw it."""

from __future__ import annotations

from collections.abc import Sequence, Set

from msgspec import Struct, field

from producer.catalog.columns import JsonObject
from producer.listing.places.places import Place
from tasks.digests import CELL_BYTES
from tasks.receipts import UNREAD


class ReadFile(Struct, kw_only=True):
    """What segments say of one file of a batch; extents come in the order of each segment."""

    places: list[Place] = field(default_factory=list)
    #: How pieces saw it when they had been read.
    mtimes_ns: list[int] = field(default_factory=list)
    #: Its size, where it ended earlier than the walk saw.
    ended_bytes: int | None = None
    unread: tuple[str, str] | None = None
    is_altered: bool = False
    #: Where extents end because an earlier place does.  Such extents stay apart, for each has its digest.
    edges: Set[int] = frozenset()

    def take(self, found: Place, offset_bytes: int, note: JsonObject | None, *, is_piece: bool) -> None:
        """One extent, and what its receipt says of it; ``offset_bytes``: where it is in the file, holes counted."""
        if note is not None:
            found = self._read_part(found, offset_bytes, note, is_piece=is_piece)
        last = self.places[-1] if self.places else None
        is_apart = found.offset_bytes in self.edges and offset_bytes % CELL_BYTES
        if last is not None and _follows(found, last) and not is_apart:
            self.places[-1] = last._replace(size_bytes=last.size_bytes + found.size_bytes)
        elif found.size_bytes:
            self.places.append(found)

    def _read_part(self, found: Place, offset_bytes: int, note: JsonObject, *, is_piece: bool) -> Place:
        self.is_altered = True
        read_bytes = min(note["read_bytes"], found.size_bytes)
        if read_bytes == found.size_bytes:
            return found
        if note["trouble"] in UNREAD:
            self.unread = note["trouble"], f"the backup could not read it: {note['message']}"
            return found._replace(size_bytes=read_bytes if is_piece else 0)
        end_bytes = offset_bytes + read_bytes
        self.ended_bytes = end_bytes if self.ended_bytes is None else min(self.ended_bytes, end_bytes)
        return found._replace(size_bytes=read_bytes)


def _follows(found: Place, last: Place) -> bool:
    return found[:3] == (
        last.segment_id,
        last.stream_offset_bytes + last.size_bytes,
        last.offset_bytes + last.size_bytes,
    )


def places_up_to(places: Sequence[Place], size_bytes: int) -> list[Place]:
    """The places in order, cut where the file ended."""
    found = sorted(places, key=lambda place: place.offset_bytes)
    cut = [place._replace(size_bytes=min(place.size_bytes, size_bytes - place.offset_bytes)) for place in found]
    return [place for place in cut if place.size_bytes > 0]
