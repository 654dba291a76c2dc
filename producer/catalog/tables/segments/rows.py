"""The rows of the table of segments."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from producer.catalog.columns import JsonObject
from producer.listing.places.stored_cells import IndexRanges

SegmentState = Literal["planned", "fed", "stored", "unchanged", "failed", "superseded", "omitted"]


class NewSegment(NamedTuple):
    """A planned segment, as a plain tuple: a plan has hundreds of thousands of them."""

    number: int
    segment_id: str
    device: str
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int


class NewHealing(NamedTuple):
    """A segment of earlier snapshots that is to be stored again under its id, from files of these entries."""

    number: int
    #: What the row itself is called.
    segment_id: str
    device: str
    first_entry: int
    stop_entry: int
    #: Of what is to be read.
    size_bytes: int
    #: The segment.
    stored_as: str


class SegmentRow(Struct, frozen=True, kw_only=True):
    """A segment and how far it has come (``docs/catalog.md`` draws the states).

    One that is ``unchanged`` was read, and found to hold what earlier segments have: no device has it.
    One that ``heals`` stores again what an earlier segment, ``segment_id``, has lost.
    """

    snapshot_id: str
    #: Place in the plan, from 0.
    number: int
    #: What the row itself is called, and its order: another than the segment where it stands for an earlier one.
    row_id: str
    segment_id: str
    #: Name of the device that it is assigned to, or stored on.
    device: str
    #: Id of the device that holds it; None until it is stored.
    device_id: str | None
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int
    state: SegmentState
    #: Number of the try that is under way or comes next, from 1; a recorded failure raises it.
    attempt: int
    #: The device's epoch when it was fed last.
    epoch: int
    bytes_stored: int
    #: The receipt's extent notes, file state and timing, as they travelled.
    notes: list[JsonObject]
    file_state: JsonObject | None
    timing: JsonObject | None
    #: How often it was given to another device.
    rerouted_count: int
    fed_at: datetime | None
    last_error: str
    #: Of the cells of the extents that have several (:mod:`tasks.digests`).
    cell_digests: bytes | None = None
    #: The extents that were found unchanged, and are not in the segment: ranges of their indexes; and their bytes.
    unchanged: IndexRanges = ()
    unchanged_bytes: int = 0

    #: Whether it stores ranges of an earlier segment again, under the id of that.
    heals: bool = False

    @property
    def held_bytes(self) -> int:
        """What of the segment is on its device: the length of its stream."""
        return self.size_bytes - self.unchanged_bytes
