"""Sums over the segments of one snapshot: how many, how large, and where the time of the backup went."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Row, case, func, select

from producer.catalog.columns import JsonObject
from producer.catalog.database.database import Database
from producer.catalog.schema import segments, snapshots, stored_objects
from producer.catalog.tables.segments.rows import SegmentState

#: The states of segments that have been read.
DONE: tuple[SegmentState, ...] = ("stored", "unchanged")

#: Number, device and its epoch: a segment that is stored again has another device, or another epoch of it.
DoneTry = tuple[int, str, int]

#: In one statement: databases limit its parameters.
_IDS_COUNT = 500


class SegmentTotals(Struct, frozen=True, kw_only=True):
    """The segments of one snapshot that share a device and a state, summed up."""

    device: str
    state: SegmentState
    segments_count: int
    bytes_source: int
    bytes_stored: int
    #: How many of them were given to another device at least once, or tried more than once.
    rerouted_count: int
    retried_count: int
    #: Of ``bytes_source``: what was found unchanged, and is not stored.
    bytes_unchanged: int = 0


class DoneBytes(NamedTuple):
    """Of one segment: what was read, and what its device wrote."""

    source: int
    stored: int


class StateTotals(Struct, frozen=True, kw_only=True):
    """The segments of one snapshot that share a state, on all devices."""

    state: SegmentState
    segments_count: int
    bytes_source: int


class TimingTotals(Struct, kw_only=True):
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


_STATES = (
    select(
        snapshots.c.snapshot_id,
        segments.c.state,
        func.count().label("segments_count"),
        func.sum(segments.c.size_bytes).label("bytes_source"),
    )
    .join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
    .group_by(snapshots.c.snapshot_id, segments.c.state)
)


class Totals:
    def __init__(self, database: Database) -> None:
        self._database = database

    def by_state(self, snapshot_id: str) -> list[SegmentTotals]:
        """The sums for each device and state; reads every segment of the snapshot once (100,000: some 0.1 s)."""
        statement = (
            select(
                segments.c.device,
                segments.c.state,
                func.count().label("segments_count"),
                func.sum(segments.c.size_bytes).label("bytes_source"),
                func.sum(segments.c.bytes_stored).label("bytes_stored"),
                func.sum(segments.c.unchanged_bytes).label("bytes_unchanged"),
                func.count(case((segments.c.rerouted_count > 0, 1))).label("rerouted_count"),
                func.count(case((segments.c.attempt > 1, 1))).label("retried_count"),
            )
            .where(segments.c.snapshot_key == self._database.snapshot_key(snapshot_id))
            .group_by(segments.c.device, segments.c.state)
            .order_by(segments.c.device, segments.c.state)
        )
        return [_totals_row(row) for row in self._database.read(statement)]

    def done(self, snapshot_id: str) -> dict[DoneTry, DoneBytes]:
        """What is stored, or was found unchanged; reads every segment of the snapshot once."""
        columns = (
            segments.c.number,
            segments.c.device,
            segments.c.epoch,
            segments.c.size_bytes,
            segments.c.bytes_stored,
        )
        statement = select(*columns).where(
            segments.c.snapshot_key == self._database.snapshot_key(snapshot_id), segments.c.state.in_(DONE)
        )
        return {
            (row.number, row.device, row.epoch): DoneBytes(row.size_bytes, row.bytes_stored)
            for row in self._database.read(statement)
        }

    def states_of(self, snapshot_ids: Collection[str]) -> dict[str, list[StateTotals]]:
        """Snapshot → its sums for each state; reads every segment of these snapshots once."""
        found: dict[str, list[StateTotals]] = {snapshot_id: [] for snapshot_id in snapshot_ids}
        pending = iter(found)
        while page := list(islice(pending, _IDS_COUNT)):
            for row in self._database.read(_STATES.where(snapshots.c.snapshot_id.in_(page))):
                totals = StateTotals(
                    state=row.state, segments_count=row.segments_count, bytes_source=int(row.bytes_source)
                )
                found[row.snapshot_id].append(totals)
        return found

    def stored_on_devices(self) -> dict[str, int]:
        """Device id → bytes of the objects that it holds, copies among them; reads every object once."""
        statement = select(
            stored_objects.c.device_id, func.sum(stored_objects.c.bytes_stored).label("bytes_stored")
        ).group_by(stored_objects.c.device_id)
        return {row.device_id: int(row.bytes_stored) for row in self._database.read(statement)}

    def stored_of_volumes(self) -> dict[str, tuple[int, int]]:
        """Volume → source bytes and stored bytes of the segments of all its snapshots; reads every segment once."""
        statement = (
            select(
                snapshots.c.volume,
                func.sum(segments.c.size_bytes).label("bytes_source"),
                func.sum(segments.c.bytes_stored).label("bytes_stored"),
            )
            .join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
            .where(segments.c.state == "stored")
            .group_by(snapshots.c.volume)
        )
        return {row.volume: (int(row.bytes_source), int(row.bytes_stored)) for row in self._database.read(statement)}

    def timings(self, snapshot_id: str) -> list[TimingTotals]:
        """The sums for each device, by its name; none for a snapshot that is gone.

        Reads every stored segment of the snapshot once.
        """
        statement = (
            select(segments.c.device, segments.c.size_bytes, segments.c.timing)
            .join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
            .where(snapshots.c.snapshot_id == snapshot_id, segments.c.state == "stored", segments.c.timing.is_not(None))
        )
        found: dict[str, TimingTotals] = {}
        for row in self._database.read(statement):
            totals = found.setdefault(row.device, TimingTotals(device=row.device))
            totals.add(row.size_bytes, row.timing)
        return [found[device] for device in sorted(found)]


def _totals_row(row: Row[Any]) -> SegmentTotals:
    values = row._asdict()
    # PostgreSQL sums whole numbers as decimals.
    values |= {name: int(values[name]) for name in ("bytes_source", "bytes_stored", "bytes_unchanged")}
    return SegmentTotals(**values)
