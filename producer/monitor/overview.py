"""What the catalog knows about each volume and device now; asks no worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.locks import LockRow
from producer.catalog.tables.reservations import ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.catalog.tables.segments.rows import SegmentState
from producer.catalog.tables.segments.totals import StateTotals
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.observer import Phase
from producer.ownership.lock_holder import volume_lock
from producer.ownership.verdict import living_locks
from producer.summaries import Incomplete

VolumeState = Literal["idle", "running", "interrupted", "failed"]

_NEVER = datetime.min.replace(tzinfo=UTC)


#: Segments in these states need no more work of a backup.
STORED_STATES: Collection[SegmentState] = ("stored", "unchanged")


class VolumeStatus(Struct, frozen=True, kw_only=True):
    """One volume.

    ``snapshot_id``: the snapshot that the last run planned, else the newest, open or sealed; "" if there is none.
    Segments and bytes belong to that snapshot.
    """

    volume: str
    state: VolumeState
    #: Why it failed; "" otherwise.
    reason: str
    #: The progress of the current run, from the catalog; None if nothing runs.
    phase: Phase | None
    snapshot_id: str
    segments_stored: int
    segments_failed: int
    segments_total: int
    #: Source bytes of the segments: stored, and in total.
    bytes_done: int
    bytes_total: int
    bytes_source: int
    #: The newest complete snapshot; None if there is none.
    sealed: SnapshotRow | None
    #: What cannot be restored of the snapshot now, because a device is away.
    incomplete: tuple[Incomplete, ...]
    #: The newest backup that has ended, not counting one that runs now; None if there is none.
    last_ended: RunRow | None
    last_run_at: datetime | None
    last_exit_code: int | None
    #: The lock of the backup that runs now; None if none does.
    lock: LockRow | None
    #: Soonest first.
    reservations: tuple[ReservationRow, ...]

    @property
    def lacking(self) -> tuple[Incomplete, ...]:
        """What is incomplete against expectation: rotating devices may be away."""
        return tuple(lack for lack in self.incomplete if not lack.rotating)

    @property
    def good_at(self) -> datetime | None:
        """When the last good backup began: of the newest snapshot, or a later one that found it unchanged."""
        if self.sealed is None:
            return None
        last, began_at = self.last_ended, self.sealed.started_at
        if last is not None and last.exit_code == 0 and (last.summary or {}).get("snapshot_id", "") is None:
            return max(began_at, last.started_at)
        return began_at

    @property
    def next_due(self) -> datetime | None:
        """When the next scheduled backup is due; None without a schedule."""
        return self.reservations[0].next_due if self.reservations else None


def upkeep(reservations: Iterable[ReservationRow]) -> list[ReservationRow]:
    """The scheduled checks and prunes, which are of no volume, in the order given."""
    return [row for row in reservations if not row.volume]


def volumes(catalog: Catalog) -> list[VolumeStatus]:
    """All volumes that have been backed up, are being backed up, or have a schedule, by name."""
    return volumes_of(catalog, catalog.devices.all(), catalog.reservations.all(), living_locks(catalog))


def volumes_of(
    catalog: Catalog,
    devices: Sequence[DeviceRow],
    scheduled: Iterable[ReservationRow],
    living: Mapping[str, LockRow],
) -> list[VolumeStatus]:
    """As :func:`volumes`, for who has read these already."""
    snapshots = catalog.snapshots.newest_of_each_volume()
    sealed = {volume: _newest_sealed(catalog, rows[0]) for volume, rows in snapshots.items()}
    reservations: defaultdict[str, list[ReservationRow]] = defaultdict(list)
    # Checks and prunes are of no volume.
    for reservation in (row for row in scheduled if row.volume):
        reservations[reservation.volume].append(reservation)
    runs = catalog.runs.newest_of_each_volume("backup")
    ended = {volume: _newest_ended(catalog, run) for volume, run in runs.items()}
    locks = {name: lock for name, lock in living.items() if name.startswith(volume_lock(""))}
    locked = {name.removeprefix(volume_lock("")) for name in locks}
    names = sorted(snapshots.keys() | runs.keys() | reservations.keys() | locked)
    shown = {name: _shown(snapshots.get(name, ()), runs.get(name)) for name in names}
    totals = catalog.totals.states_of({row.snapshot_id for row in shown.values() if row is not None})
    return [
        _status(
            name,
            shown[name],
            totals,
            devices,
            sealed.get(name),
            runs.get(name),
            ended.get(name),
            locks.get(volume_lock(name)),
            reservations[name],
        )
        for name in names
    ]


def _newest_sealed(catalog: Catalog, newest: SnapshotRow) -> SnapshotRow | None:
    return newest if newest.state == "sealed" else catalog.snapshots.last_of(newest.volume)


def _newest_ended(catalog: Catalog, newest: RunRow) -> RunRow | None:
    return newest if newest.exit_code is not None else catalog.runs.newest("backup", newest.volume)


def _shown(snapshots: Sequence[SnapshotRow], run: RunRow | None) -> SnapshotRow | None:
    """The snapshot that the last run planned, else the newest, open or sealed; ``snapshots``, the newest first."""
    of_run = [row for row in snapshots if run and row.planned_at and row.planned_at >= run.started_at]
    return next(iter(of_run or snapshots), None)


def _status(
    volume: str,
    snapshot: SnapshotRow | None,
    totals: Mapping[str, Sequence[StateTotals]],
    devices: Sequence[DeviceRow],
    sealed: SnapshotRow | None,
    run: RunRow | None,
    ended: RunRow | None,
    lock: LockRow | None,
    reservations: Sequence[ReservationRow],
) -> VolumeStatus:
    valid = [row for row in totals[snapshot.snapshot_id] if row.state != "superseded"] if snapshot is not None else []
    stored = [row for row in valid if row.state in STORED_STATES]
    return VolumeStatus(
        volume=volume,
        state="running" if lock is not None else _state(snapshot, run),
        reason=str((run.summary or {}).get("error", "")) if run is not None else "",
        phase=_phase(snapshot, run, lock, is_all_stored=len(stored) == len(valid)) if lock is not None else None,
        snapshot_id=snapshot.snapshot_id if snapshot is not None else "",
        segments_stored=sum(row.segments_count for row in stored),
        segments_failed=sum(row.segments_count for row in valid if row.state == "failed"),
        segments_total=sum(row.segments_count for row in valid),
        bytes_done=sum(row.bytes_source for row in stored),
        bytes_total=sum(row.bytes_source for row in valid),
        bytes_source=snapshot.bytes_source if snapshot is not None else 0,
        sealed=sealed,
        incomplete=still_lacking(snapshot.lacks, devices, snapshot.sealed_at) if snapshot is not None else (),
        last_ended=ended,
        last_run_at=run.started_at if run is not None else None,
        last_exit_code=run.exit_code if run is not None else None,
        lock=lock,
        reservations=tuple(reservations),
    )


def _state(snapshot: SnapshotRow | None, run: RunRow | None) -> VolumeState:
    """The state of a volume of which no backup runs."""
    if run is not None and run.ended_at is None:
        return "interrupted"
    if snapshot is not None and snapshot.state == "open":
        return "interrupted" if run is None or run.exit_code == 130 else "failed"
    return "failed" if run is not None and run.exit_code not in (0, 3) else "idle"


def _phase(snapshot: SnapshotRow | None, run: RunRow | None, lock: LockRow, *, is_all_stored: bool) -> Phase:
    """The phase of the run that holds ``lock``.  ``run`` and ``snapshot`` may still be those of the run before."""
    owner = (lock.owner.host, lock.owner.pid)
    if run is None or run.ended_at is not None or (run.owner_host, run.owner_pid) != owner:
        return "starting"
    if snapshot is None or (snapshot.sealed_at or snapshot.planned_at or _NEVER) < run.started_at:
        return "walking"
    return "sealing" if is_all_stored else "storing"
