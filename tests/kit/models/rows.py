"""What runs write into a catalog, row by row, for tests of what reads it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import delete

from kit.models.owners import enter_owner
from producer.catalog.catalog import Catalog
from producer.catalog.columns import JsonObject
from producer.catalog.database.opening import catalog_url, open_engine
from producer.catalog.schema import snapshots
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.reservations import ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.catalog.tables.segments.rows import NewSegment, SegmentRow
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotPlan, SourceRow
from producer.host.processes import pid_space, start_of
from producer.ownership.lock_holder import volume_lock

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def device_row(name: str = "a", **fields: Any) -> DeviceRow:
    """A device that lives, but for ``fields``."""
    common = {
        "name": name,
        "device_id": name * 32,
        "pool_id": "1" * 32,
        "state": "live",
        "reason": "",
        "since": T0,
        "capacity_bytes": 1000,
        "free_bytes": 400,
        "epoch": 0,
        "path": f"/mnt/{name}",
    }
    return DeviceRow(**{**common, **fields})


def begin(catalog: Catalog, volume: str, day: float = 0, request: JsonObject | None = None) -> str:
    """An open snapshot, begun on the ``day`` after T0; returns its id."""
    snapshot_id = uuid4().hex
    catalog.snapshots.begin(
        NewSnapshot(
            snapshot_id=snapshot_id,
            pool_id="1" * 32,
            volume=volume,
            mode="files",
            hostname="host",
            tags=(),
            sources=(SourceRow(name="data", path="/data"),),
            request=request or {},
            started_at=T0 + timedelta(days=day),
        )
    )
    return snapshot_id


def record_run(
    catalog: Catalog,
    volume: str,
    day: int = 0,
    *,
    exit_code: int | None,
    kind: str = "backup",
    error: str = "",
    started_at: datetime | None = None,
    snapshot_id: str | None = None,
) -> None:
    """A run of the ``day`` after T0, or that began at ``started_at``; without an exit code it has not ended."""
    ended_at = None if exit_code is None else T0 + timedelta(days=day, hours=1)
    catalog.runs.begin(
        RunRow(
            run_id=uuid4().hex,
            kind=kind,  # type: ignore[arg-type]
            snapshot_id=snapshot_id,
            volume=volume,
            owner_host=platform.node(),
            owner_pid=os.getpid(),
            started_at=started_at or T0 + timedelta(days=day),
            ended_at=ended_at,
            exit_code=exit_code,
            summary={"error": error} if error else None,
        )
    )


def lock(catalog: Catalog, volume: str) -> str:
    """From now on this process backs the volume up; returns the owner's id."""
    owner_id = enter_owner(
        catalog, host=platform.node(), space=pid_space(), pid=os.getpid(), start=start_of(os.getpid())
    )
    catalog.locks.take(volume_lock(volume), owner_id, "backup")
    return owner_id


def plan(catalog: Catalog, snapshot_id: str, segments_count: int, entries_count: int = 0) -> None:
    """A plan of segments of 100 bytes each, all for device a.  It is made now, long after T0."""
    figures: dict[str, Any] = {name: 0 for name in SnapshotPlan.__struct_fields__ if name != "owner_names"}
    figures["entries_count"] = entries_count
    catalog.snapshots.set_plan(snapshot_id, SnapshotPlan(**figures))
    catalog.segments.add(snapshot_id, segments(segments_count))


def segments(count: int) -> list[NewSegment]:
    return [
        NewSegment(
            number=number,
            segment_id=uuid4().hex,
            device="a",
            first_entry=number,
            stop_entry=number + 1,
            offset_bytes=0,
            size_bytes=100,
        )
        for number in range(count)
    ]


def store(catalog: Catalog, snapshot_id: str, number: int) -> None:
    catalog.transitions.mark_fed(snapshot_id, [number], "a", 0)
    catalog.transitions.record_stored(
        snapshot_id,
        number,
        device="a",
        device_id="a" * 32,
        epoch=0,
        bytes_stored=1,
        object_id=uuid4().hex,
        trailer_digest=b"t" * 32,
    )


def reserve(catalog: Catalog, volume: str, day: int) -> ReservationRow:
    row = ReservationRow(
        reservation_id=uuid4().hex,
        volume=volume,
        cron="0 2 * * *",
        timezone="UTC",
        if_missed="catch-up",
        if_busy="queue",
        request={},
        created_at=T0,
        next_due=T0 + timedelta(days=day),
    )
    catalog.reservations.add(row)
    return row


def lose_snapshot(location: str | Path, snapshot_id: str) -> None:
    """Take a snapshot's row out of a catalog, as damage may; the devices keep what they hold of it."""
    engine = open_engine(catalog_url(location))
    with engine.begin() as connection:
        assert connection.execute(delete(snapshots).where(snapshots.c.snapshot_id == snapshot_id)).rowcount
    engine.dispose()


def segments_by_id(catalog: Catalog) -> dict[str, SegmentRow]:
    """What lies on devices, of all snapshots."""
    rows = (row for snapshot_id in catalog.snapshots.known_ids() for row in catalog.segments.stored(snapshot_id))
    return {row.segment_id: row for row in rows}
