"""What the catalog gives back: one frozen value for each kind of row.

Times are aware, in UTC.  Paths and messages may hold surrogate escapes and newlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

DeviceState = Literal["live", "full", "suspect", "dead", "absent"]
SnapshotState = Literal["open", "sealed", "forgotten"]
SegmentState = Literal["planned", "fed", "stored", "failed", "superseded", "referenced"]
RunKind = Literal["backup", "restore", "check"]

#: A JSON object as ``json.loads`` gives it.
JsonObject = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceRow:
    """A device, known by its id: another device may bear the same name in another pool."""

    name: str
    device_id: str
    pool_id: str
    state: DeviceState
    #: Why it is in this state, for a person; "" when live.
    reason: str
    #: When it came into this state.
    since: datetime
    capacity_bytes: int
    free_bytes: int
    epoch: int
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRow:
    """A source of a snapshot: its name is the first part of the paths."""

    name: str
    path: str
    #: raw: the source is one block device or image file, and has one entry.
    mode: Literal["files", "raw"] = "files"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSnapshot:
    """What is known of a snapshot when its backup begins.

    ``request`` is a JSON object of the options; the same command gives an equal one, and so finds
    the snapshot that it can go on with.
    """

    snapshot_id: str
    pool_id: str
    volume: str
    mode: str
    hostname: str
    tags: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    request: JsonObject
    started_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotPlan:
    """What is known of a snapshot when its plan is made."""

    threshold_bytes: int
    bundle_limit_bytes: int
    unit_bytes: int
    block_bytes: int
    level: int
    entries_count: int
    files_count: int
    bytes_source: int
    segments_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotRow:
    """A snapshot.  What SnapshotPlan says is 0 until ``planned_at`` is set, ``bytes_stored`` until it is sealed.

    ``planned_at``: when the last run that worked on it had its plan.
    """

    snapshot_id: str
    pool_id: str
    volume: str
    mode: str
    state: SnapshotState
    hostname: str
    tags: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    request: JsonObject
    started_at: datetime
    planned_at: datetime | None
    sealed_at: datetime | None
    threshold_bytes: int
    bundle_limit_bytes: int
    unit_bytes: int
    block_bytes: int
    level: int
    entries_count: int
    files_count: int
    bytes_source: int
    bytes_stored: int
    segments_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListingPartRow:
    """One immutable part of a listing; it covers ``entries_count`` entries from index ``first_entry``."""

    number: int
    first_entry: int
    entries_count: int
    data: bytes


class NewSegment(NamedTuple):
    """A planned segment, as a plain tuple: a plan has hundreds of thousands of them."""

    number: int
    segment_id: str
    device: str
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReference:
    """A range of a raw volume that a segment of an earlier snapshot holds."""

    number: int
    #: What the row itself is called; ``stored_as`` is the segment on the device.
    segment_id: str
    stored_as: str
    device: str
    device_id: str
    entry: int
    offset_bytes: int
    size_bytes: int
    #: Where in the stream of ``stored_as`` the range begins.
    stream_offset_bytes: int
    #: Of the whole of ``stored_as``.
    bytes_stored: int
    cell_digests: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentRow:
    """A segment and how far it has come (``docs/catalog.md`` draws the states).

    A row that is ``referenced`` stands for a range of a raw volume that an earlier segment holds: ``segment_id`` and
    ``bytes_stored`` are those of that segment, which several rows may name.
    """

    snapshot_id: str
    #: Place in the plan, from 0.
    number: int
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
    #: Where in the segment's stream the range begins; 0 but for a referenced one.
    stream_offset_bytes: int = 0
    #: Of a piece of a raw volume: the digests of its cells, 32 bytes each.
    cell_digests: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentTotals:
    """The segments of one snapshot that share a device and a state, summed up."""

    device: str
    state: SegmentState
    segments_count: int
    bytes_source: int
    bytes_stored: int
    #: How many of them were given to another device at least once, or tried more than once.
    rerouted_count: int
    retried_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One failed try of a segment.  ``reason`` is a :class:`tasks.errors.Reason`."""

    number: int
    attempt: int
    device: str
    outcome: str
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleRow:
    """Something wrong with one source file.  ``entry_index`` is None for what is not in the listing."""

    entry_index: int | None
    path: str
    code: str
    message: str


@dataclass(kw_only=True, slots=True)
class TimingTotals:
    """What one device's workers spent on the segments of a snapshot: sums over segments and threads."""

    device: str
    segments_count: int = 0
    bytes_source: int = 0
    read_s: float = 0.0
    compress_s: float = 0.0
    write_s: float = 0.0
    sync_s: float = 0.0
    #: From the order's arrival to the segment's being read back; less than the sum where stages overlap.
    total_s: float = 0.0

    def add(self, size_bytes: int, timing: JsonObject) -> None:
        """Count one segment in; ``timing`` as its receipt had it."""
        self.segments_count += 1
        self.bytes_source += size_bytes
        self.read_s += timing["read_s"]
        self.compress_s += timing["compress_s"]
        self.write_s += timing["write_s"]
        self.sync_s += timing["sync_s"]
        self.total_s += timing["total_s"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One run.  ``ended_at`` and ``exit_code`` are None while it runs, or when it was killed."""

    run_id: str
    kind: RunKind
    snapshot_id: str | None
    volume: str
    owner_host: str
    owner_pid: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    summary: JsonObject | None
