"""What the catalog knows of each volume and device at this moment; asks no worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from producer.catalog.catalog import Catalog
from producer.catalog.lock_rows import LockRow
from producer.catalog.rows import RunRow, SnapshotRow
from producer.ownership.holder import volume_lock
from producer.ownership.verdict import living_locks

VolumeState = Literal["idle", "running", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeStatus:
    """One volume.  ``snapshot_id`` is that of the newest snapshot, open or sealed; "" when there is none."""

    volume: str
    state: VolumeState
    #: Why it failed; "" otherwise.
    reason: str
    snapshot_id: str
    segments_stored: int
    segments_failed: int
    segments_total: int
    bytes_stored_source: int
    bytes_source: int
    last_run_at: datetime | None
    last_exit_code: int | None
    #: Who backs it up now; None when nobody does.
    lock: LockRow | None


def volumes(catalog: Catalog) -> list[VolumeStatus]:
    """All volumes, by name."""
    newest: dict[str, SnapshotRow] = {}
    for snapshot in sorted([*catalog.snapshots(), *catalog.snapshots("open")], key=lambda row: row.started_at):
        newest[snapshot.volume] = snapshot
    runs: dict[str, RunRow] = {}
    for run in catalog.runs():
        if run.kind == "backup":
            runs.setdefault(run.volume, run)
    locks = living_locks(catalog)
    return [
        _status(catalog, name, newest.get(name), runs.get(name), locks.get(volume_lock(name)))
        for name in sorted(newest.keys() | runs.keys())
    ]


def _status(
    catalog: Catalog, volume: str, snapshot: SnapshotRow | None, run: RunRow | None, lock: LockRow | None
) -> VolumeStatus:
    rows = catalog.totals(snapshot.snapshot_id) if snapshot is not None else []
    valid = [row for row in rows if row.state != "superseded"]
    stored = [row for row in valid if row.state in ("stored", "referenced")]
    return VolumeStatus(
        volume=volume,
        state="running" if lock is not None else _state(snapshot, run),
        reason=str((run.summary or {}).get("error", "")) if run is not None else "",
        snapshot_id=snapshot.snapshot_id if snapshot is not None else "",
        segments_stored=sum(row.segments_count for row in stored),
        segments_failed=sum(row.segments_count for row in valid if row.state == "failed"),
        segments_total=sum(row.segments_count for row in valid),
        bytes_stored_source=sum(row.bytes_source for row in stored),
        bytes_source=snapshot.bytes_source if snapshot is not None else 0,
        last_run_at=run.started_at if run is not None else None,
        last_exit_code=run.exit_code if run is not None else None,
        lock=lock,
    )


def _state(snapshot: SnapshotRow | None, run: RunRow | None) -> VolumeState:
    """The state of a volume that nobody backs up now."""
    if run is not None and run.ended_at is None:
        return "interrupted"
    if snapshot is not None and snapshot.state == "open":
        return "interrupted" if run is None or run.exit_code == 130 else "failed"
    return "failed" if run is not None and run.exit_code not in (0, 3) else "idle"
