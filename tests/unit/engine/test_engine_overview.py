"""What the catalog tells of each volume, without asking any worker."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kit.owners import enter_owner
from producer.catalog.catalog import Catalog
from producer.catalog.rows import NewSegment, NewSnapshot, RunRow, SourceRow
from producer.engine.overview import VolumeStatus, volumes
from producer.ownership.holder import volume_lock
from producer.processes import pid_space, start_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def begin(catalog: Catalog, volume: str, day: int = 0) -> str:
    snapshot_id = uuid4().hex
    catalog.begin_snapshot(
        NewSnapshot(
            snapshot_id=snapshot_id,
            pool_id="1" * 32,
            volume=volume,
            mode="files",
            hostname="host",
            tags=(),
            sources=(SourceRow(name="data", path="/data"),),
            request={},
            started_at=T0 + timedelta(days=day),
        )
    )
    return snapshot_id


def run(
    catalog: Catalog,
    volume: str,
    day: int = 0,
    *,
    exit_code: int | None,
    kind: str = "backup",
    error: str = "",
) -> None:
    ended_at = None if exit_code is None else T0 + timedelta(days=day, hours=1)
    catalog.begin_run(
        RunRow(
            run_id=uuid4().hex,
            kind=kind,  # type: ignore[arg-type]
            snapshot_id=None,
            volume=volume,
            owner_host=platform.node(),
            owner_pid=os.getpid(),
            started_at=T0 + timedelta(days=day),
            ended_at=ended_at,
            exit_code=exit_code,
            summary={"error": error} if error else None,
        )
    )


def only(catalog: Catalog) -> VolumeStatus:
    (status,) = volumes(catalog)
    return status


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_an_empty_catalog_has_no_volumes(catalog: Catalog) -> None:
    assert volumes(catalog) == []


def test_volumes_come_by_name_and_restores_make_none(catalog: Catalog) -> None:
    for volume in ("b", "a"):
        run(catalog, volume, exit_code=0)
    run(catalog, "", exit_code=0, kind="restore")
    assert [status.volume for status in volumes(catalog)] == ["a", "b"]


@pytest.mark.parametrize(("exit_code", "state"), [(0, "idle"), (3, "idle"), (1, "failed"), (10, "failed")])
def test_after_a_sealed_snapshot_the_last_run_decides(catalog: Catalog, exit_code: int, state: str) -> None:
    catalog.seal_snapshot(begin(catalog, "home"), T0)
    run(catalog, "home", exit_code=exit_code)
    assert (only(catalog).state, only(catalog).last_exit_code) == (state, exit_code)


@pytest.mark.parametrize(("exit_code", "state"), [(130, "interrupted"), (1, "failed")])
def test_an_open_snapshot_is_interrupted_or_failed(catalog: Catalog, exit_code: int, state: str) -> None:
    begin(catalog, "home")
    run(catalog, "home", exit_code=exit_code, error="no device is left")
    assert (only(catalog).state, only(catalog).reason) == (state, "no device is left")


def test_a_volume_is_running_while_somebody_who_is_not_gone_holds_its_lock(catalog: Catalog) -> None:
    for volume in ("here", "killed", "elsewhere", "unlocked"):
        begin(catalog, volume)
        run(catalog, volume, exit_code=None)
    owners = {
        "here": enter_owner(catalog, space=pid_space(), pid=os.getpid(), start=start_of(os.getpid())),
        "killed": enter_owner(catalog, space=pid_space(), pid=dead_pid()),
        "elsewhere": enter_owner(catalog, host="another.host"),
    }
    for volume, owner_id in owners.items():
        catalog.take_lock(volume_lock(volume), owner_id, "backup")

    rows = {status.volume: status for status in volumes(catalog)}

    assert {volume: row.state for volume, row in rows.items()} == {
        "here": "running",
        "killed": "interrupted",
        "elsewhere": "running",
        "unlocked": "interrupted",
    }
    assert rows["elsewhere"].lock is not None
    assert rows["elsewhere"].lock.owner.host == "another.host"
    assert rows["killed"].lock is None


def test_the_newest_snapshot_and_the_newest_run_are_shown(catalog: Catalog) -> None:
    catalog.seal_snapshot(begin(catalog, "home", 1), T0)
    newest = begin(catalog, "home", 3)
    catalog.seal_snapshot(begin(catalog, "home", 2), T0)
    run(catalog, "home", 3, exit_code=130)
    run(catalog, "home", 1, exit_code=0)
    assert only(catalog).snapshot_id == newest
    assert only(catalog).last_run_at == T0 + timedelta(days=3)


def test_a_later_sealed_snapshot_hides_an_open_one_of_before(catalog: Catalog) -> None:
    begin(catalog, "home", 1)
    newest = begin(catalog, "home", 2)
    catalog.seal_snapshot(newest, T0)
    run(catalog, "home", 2, exit_code=0)
    assert (only(catalog).snapshot_id, only(catalog).state) == (newest, "idle")


def test_segments_are_counted_by_state_without_the_superseded(catalog: Catalog) -> None:
    snapshot_id = begin(catalog, "home")
    rows = [
        NewSegment(
            number=number,
            segment_id=uuid4().hex,
            device="a",
            first_entry=number,
            stop_entry=number + 1,
            offset_bytes=0,
            size_bytes=100,
        )
        for number in range(5)
    ]
    catalog.add_segments(snapshot_id, rows)
    catalog.supersede(snapshot_id, [0])
    for number in (1, 2):
        catalog.record_stored(snapshot_id, number, device="a", device_id="a" * 32, epoch=0, bytes_stored=1)
    catalog.mark_fed(snapshot_id, [3], "a", 0)
    catalog.record_failed(snapshot_id, 3, device="a", epoch=0, attempt=1, reason="source", message="")
    status = only(catalog)
    assert (status.segments_stored, status.segments_failed, status.segments_total) == (2, 1, 4)
    assert status.bytes_stored_source == 200
