"""What the catalog knows of each volume and device at this moment; asks no worker."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from producer.catalog.catalog import Catalog
from producer.catalog.rows import RunRow, SnapshotRow

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


def volumes(catalog: Catalog) -> list[VolumeStatus]:
    """All volumes, by name."""
    newest: dict[str, SnapshotRow] = {}
    for snapshot in sorted([*catalog.snapshots(), *catalog.snapshots("open")], key=lambda row: row.started_at):
        newest[snapshot.volume] = snapshot
    runs: dict[str, RunRow] = {}
    for run in catalog.runs():
        if run.kind == "backup":
            runs.setdefault(run.volume, run)
    names = sorted(newest.keys() | runs.keys())
    return [_status(catalog, name, newest.get(name), runs.get(name)) for name in names]


def _status(catalog: Catalog, volume: str, snapshot: SnapshotRow | None, run: RunRow | None) -> VolumeStatus:
    rows = catalog.totals(snapshot.snapshot_id) if snapshot is not None else []
    valid = [row for row in rows if row.state != "superseded"]
    stored = [row for row in valid if row.state in ("stored", "referenced")]
    return VolumeStatus(
        volume=volume,
        state=_state(snapshot, run),
        reason=str((run.summary or {}).get("error", "")) if run is not None else "",
        snapshot_id=snapshot.snapshot_id if snapshot is not None else "",
        segments_stored=sum(row.segments_count for row in stored),
        segments_failed=sum(row.segments_count for row in valid if row.state == "failed"),
        segments_total=sum(row.segments_count for row in valid),
        bytes_stored_source=sum(row.bytes_source for row in stored),
        bytes_source=snapshot.bytes_source if snapshot is not None else 0,
        last_run_at=run.started_at if run is not None else None,
        last_exit_code=run.exit_code if run is not None else None,
    )


def _state(snapshot: SnapshotRow | None, run: RunRow | None) -> VolumeState:
    if run is not None and run.ended_at is None:
        return "running" if _is_alive(run) else "interrupted"
    if snapshot is not None and snapshot.state == "open":
        return "interrupted" if run is None or run.exit_code == 130 else "failed"
    return "failed" if run is not None and run.exit_code not in (0, 3) else "idle"


def _is_alive(run: RunRow) -> bool:
    """Whether the run's process is there; on another host that cannot be seen, and is taken for granted."""
    if run.owner_host != platform.node():
        return True
    try:
        os.kill(run.owner_pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True
