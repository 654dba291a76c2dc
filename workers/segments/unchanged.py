"""Which extents still hold what an earlier backup stored: they are read and compared, and not stored again."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tasks.digests import NO_DIGEST, known_places, split_digests
from tasks.orders import StoreSegment
from tasks.receipts import ExtentNote, FileState
from workers.format.header import SegmentHeader
from workers.sources.raw import RawStream
from workers.sources.stream import ExtentStream

#: What is read at a time: small enough for the processor's cache, and most files fit into it.
_STEP_BYTES = 4 * 1024 * 1024


class Compared(Struct, frozen=True, kw_only=True):
    """``places``: the unchanged extents, by index.  ``file_state``: of the one file that all extents are of."""

    places: tuple[int, ...] = ()
    file_state: FileState | None = None


def compare(
    order: StoreSegment,
    stream_of: Callable[[Sequence[int]], ExtentStream | RawStream],
    fill: Callable[[ExtentStream | RawStream, memoryview], object],
) -> Compared:
    """Read the extents of which ``order`` knows the digest.  Unchanged is what has it and was read exactly as planned.

    ``fill`` fills a buffer from the stream.
    """
    candidates = known_places(order.known_digests)
    if not candidates:
        return Compared()
    left_bytes = sum(order.extents.sizes_bytes[place] for place in candidates)
    # Whole pages, as direct reads of a block device need them.
    buffer = memoryview(mmap.mmap(-1, min(left_bytes, _STEP_BYTES)))
    with stream_of(candidates) as stream:
        while left_bytes:
            part = buffer[:left_bytes]
            fill(stream, part)
            left_bytes -= len(part)
    noted = {note.index for note in stream.notes}
    known = list(split_digests(order.known_digests))
    found = zip(candidates, split_digests(bytes(stream.digests.extents)), strict=True)
    places = tuple(
        place for index, (place, digest) in enumerate(found) if index not in noted and digest == known[place]
    )
    return Compared(places=places, file_state=stream.file_state)


def changed_places(
    order: StoreSegment, places: Sequence[int], notes: Sequence[ExtentNote], extent_digests: bytes
) -> set[int]:
    """The extents of the order, of those at ``places``, that were not read as planned or have another digest."""
    known, noted = list(split_digests(order.known_digests)), {note.index for note in notes}
    found = enumerate(zip(places, split_digests(extent_digests), strict=True))
    return {place for index, (place, digest) in found if index in noted or digest != known[place]}


def stored_places(order: StoreSegment, wanted: SegmentHeader, found: SegmentHeader) -> list[int] | None:
    """The extents of ``order``, by index, that a segment with the header ``found`` holds.

    None unless it is ``wanted``, the header of the order, or that without some extents that have a known digest: they
    were unchanged when it was stored.
    """
    if found == wanted:
        return list(range(len(order.extents)))
    if replace(found, extents=wanted.extents, ranges=wanted.ranges) != wanted:
        return None
    rest = iter(found.extents)
    expected = next(rest, None)
    places, known = [], order.known_digests and list(split_digests(order.known_digests))
    for place, extent in enumerate(order.extents):
        if extent == expected:
            places.append(place)
            expected = next(rest, None)
        elif not known or known[place] == NO_DIGEST:
            return None
    return places if expected is None else None
