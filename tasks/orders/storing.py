"""Orders that read a source."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tasks.digests import DIGEST_BYTES, MAX_CELLS, Digests, known_places, listed_cells_count
from tasks.orders.order import Order, Threads
from tasks.raw import RawReading
from tasks.sources.states import PackedStates, unpack_states
from tasks.sources.views import View
from tasks.values import Count, Counts, Extents, HexId, Paths, SourceName, SourcePlace, UnitBytes, is_safe_path

Level = Annotated[int, Meta(ge=-7, le=22)]
Readers = Annotated[int, Meta(ge=1, le=256)]


class StoreSegment(Order, frozen=True, kw_only=True):
    """Read the extents, compress them, and store them as one object of a segment, without those that are unchanged.

    A segment's id never changes, no matter who stores it.  Each try stores an object of its own: a message that comes
    twice finds its own object, and never that of another try.
    """

    segment_id: HexId
    object_id: HexId
    snapshot_id: HexId
    volume: SourceName
    #: The number of the segment in the plan, from 0.
    number: Count
    source: SourceName
    extents: Extents
    threshold_bytes: Count
    #: unit_bytes is a multiple of block_bytes; the segment's header holds both.
    unit_bytes: UnitBytes
    block_bytes: Annotated[int, Meta(ge=512, le=1024 * 1024)]
    level: Level
    threads: Threads
    #: For a piece of a raw volume: the source is one block device or image file.
    raw: RawReading | None = None
    #: Where ``source`` is, if the worker does not know it by that name; not recorded in the segment's header.
    within: SourcePlace | None = None
    #: How many workers of a host read the source's disk at once; None: one if it rotates, otherwise all.
    readers: Readers | None = None
    #: What the walk saw of each file; "" for raw volumes.
    states: PackedStates = ""
    #: Whether all extents are parts of one file, which has segments of its own.
    is_piece: bool = False
    #: The extents, by index, of files with holes.  Each of them is a part of its file.
    sparse: Counts = ()
    #: The digests (:mod:`tasks.digests`) that extents had in an earlier backup, one for each extent, NO_DIGEST for one
    #: that is not known; empty for none.  An extent that still has its digest is not stored.
    known_digests: Digests = b""
    #: To heal a segment that no device has any more: where each extent begins in its stream, ascending.  Then only the
    #: extents that have their known digests are stored, as these ranges of the segment.
    stream_offsets_bytes: Counts = ()
    #: How the walk saw the source (:mod:`tasks.sources.views`); "" where nobody can tell.
    view: View = ""
    #: The source is a part of a stream: what is at ``within`` begins with the first byte of the one extent.
    spooled: bool = False
    #: Whose claim is put on the device before its first object of the snapshot; "" for none.
    catalog_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""

    def __post_init__(self) -> None:
        if self.spooled and (len(self.extents) != 1 or self.within is None):
            raise ValueError("a part of a stream is one extent, in a file of its own")
        if self.unit_bytes % self.block_bytes:
            raise ValueError("unit_bytes is not a multiple of block_bytes")
        if self.raw is not None and any(self.extents.paths):
            raise ValueError("a piece of a raw volume consists of extents of the source itself")
        if listed_cells_count(self.extents) > MAX_CELLS:
            raise ValueError(f"a segment of more than {MAX_CELLS} cells")
        if self.known_digests and len(self.known_digests) != len(self.extents) * DIGEST_BYTES:
            raise ValueError("known digests are those of extents, one for each")
        if self.is_piece and len(set(self.extents.paths)) > 1:
            raise ValueError("a piece is of one file")
        if self.heals and not self._has_all_digests():
            raise ValueError("what is healed has a place in the segment and a digest for each extent")
        unpack_states(self.states, len(self.extents))

    @property
    def heals(self) -> bool:
        return bool(self.stream_offsets_bytes)

    def _has_all_digests(self) -> bool:
        count, stop_bytes = len(self.extents), 0
        if len(self.stream_offsets_bytes) != count or len(known_places(self.known_digests)) != count:
            return False
        for offset_bytes, size_bytes in zip(self.stream_offsets_bytes, self.extents.sizes_bytes, strict=True):
            if offset_bytes < stop_bytes:
                return False
            stop_bytes = offset_bytes + size_bytes
        return True


class ConfirmEmpty(Order, frozen=True, kw_only=True):
    """Look into files that were empty or one hole at the walk: do they have data?  Needs no device, only the source.

    Some file systems do not tell the size of a file (/proc, some of FUSE), and a file may be written after the walk.
    """

    source: SourceName
    paths: Paths
    #: At the walk.
    sizes_bytes: Counts
    #: As in :class:`StoreSegment`.
    within: SourcePlace | None = None

    def __post_init__(self) -> None:
        if len(self.sizes_bytes) != len(self.paths):
            raise ValueError("the columns of empty files differ in length")
        if not all(map(is_safe_path, self.paths)):
            raise ValueError("a path of an order leaves the source")
