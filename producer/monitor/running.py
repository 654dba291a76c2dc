"""The backups that run now, device by device, from the segments that the catalog has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.monitor.other_runs import held_by
from producer.monitor.overview import STORED_STATES, VolumeStatus
from producer.observer import Phase


class RunningDevice(Struct, frozen=True, kw_only=True):
    """Source bytes of the segments of one device: stored, and planned for it now."""

    device: str
    bytes_done: int
    bytes_total: int
    segments_done: int
    segments_total: int
    #: Segments that were another device's before.
    rerouted_count: int


class RunningBackup(Struct, frozen=True, kw_only=True):
    volume: str
    snapshot_id: str
    phase: Phase
    since: datetime
    #: When this run had its plan; None before.
    planned_at: datetime | None
    #: Whether an earlier run has stored some of the snapshot.
    is_resumed: bool
    #: Process, host and manager, for a person.
    held_by: str
    #: Those that have or had segments, by name; none before there is a plan.
    devices: tuple[RunningDevice, ...]

    @property
    def bytes_done(self) -> int:
        return sum(device.bytes_done for device in self.devices)

    @property
    def bytes_total(self) -> int:
        return sum(device.bytes_total for device in self.devices)


def running_backups(catalog: Catalog, volumes: Iterable[VolumeStatus]) -> tuple[RunningBackup, ...]:
    return tuple(_running(catalog, row) for row in volumes if row.lock is not None)


def _running(catalog: Catalog, row: VolumeStatus) -> RunningBackup:
    assert row.lock is not None
    is_planned = row.phase in ("storing", "sealing")
    snapshot = catalog.snapshots.get(row.snapshot_id) if is_planned else None
    return RunningBackup(
        volume=row.volume,
        snapshot_id=row.snapshot_id,
        phase=row.phase or "starting",
        since=row.lock.since,
        planned_at=snapshot.planned_at if snapshot is not None else None,
        is_resumed=snapshot is not None and snapshot.started_at < row.lock.since,
        held_by=held_by(row.lock),
        devices=_devices(catalog, row.snapshot_id) if is_planned else (),
    )


def _devices(catalog: Catalog, snapshot_id: str) -> tuple[RunningDevice, ...]:
    rows = [row for row in catalog.totals.by_state(snapshot_id) if row.state != "superseded"]
    return tuple(
        RunningDevice(
            device=name,
            bytes_done=sum(row.bytes_source for row in of_device if row.state in STORED_STATES),
            bytes_total=sum(row.bytes_source for row in of_device),
            segments_done=sum(row.segments_count for row in of_device if row.state in STORED_STATES),
            segments_total=sum(row.segments_count for row in of_device),
            rerouted_count=sum(row.rerouted_count for row in of_device),
        )
        for name in sorted({row.device for row in rows})
        for of_device in [[row for row in rows if row.device == name]]
    )
