"""What the catalog tells of each volume, without asking any worker."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kit.models.owners import enter_owner
from kit.models.rows import T0, begin, lock, plan, record_run, reserve, segments, store
from producer.catalog.catalog import Catalog
from producer.host.processes import pid_space, start_of
from producer.monitor.overview import VolumeStatus, volumes
from producer.ownership.lock_holder import volume_lock


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
        record_run(catalog, volume, exit_code=0)
    record_run(catalog, "", exit_code=0, kind="restore")
    assert [status.volume for status in volumes(catalog)] == ["a", "b"]


@pytest.mark.parametrize(("exit_code", "state"), [(0, "idle"), (3, "idle"), (1, "failed"), (10, "failed")])
def test_after_a_sealed_snapshot_the_last_run_decides(catalog: Catalog, exit_code: int, state: str) -> None:
    catalog.snapshots.seal(begin(catalog, "home"), T0, b"h" * 32)
    record_run(catalog, "home", exit_code=exit_code)
    assert (only(catalog).state, only(catalog).last_exit_code) == (state, exit_code)


@pytest.mark.parametrize(("exit_code", "state"), [(130, "interrupted"), (1, "failed")])
def test_an_open_snapshot_is_interrupted_or_failed(catalog: Catalog, exit_code: int, state: str) -> None:
    begin(catalog, "home")
    record_run(catalog, "home", exit_code=exit_code, error="no device is left")
    assert (only(catalog).state, only(catalog).reason) == (state, "no device is left")


def test_a_volume_is_running_while_somebody_who_is_not_gone_holds_its_lock(catalog: Catalog) -> None:
    for volume in ("here", "killed", "elsewhere", "unlocked"):
        begin(catalog, volume)
        record_run(catalog, volume, exit_code=None)
    owners = {
        "here": enter_owner(catalog, space=pid_space(), pid=os.getpid(), start=start_of(os.getpid())),
        "killed": enter_owner(catalog, space=pid_space(), pid=dead_pid()),
        "elsewhere": enter_owner(catalog, host="another.host"),
    }
    for volume, owner_id in owners.items():
        catalog.locks.take(volume_lock(volume), owner_id, "backup")

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


def test_the_snapshot_and_the_run_that_were_made_last_are_shown(catalog: Catalog) -> None:
    catalog.snapshots.seal(begin(catalog, "home", 1), T0, b"h" * 32)
    catalog.snapshots.seal(begin(catalog, "home", 3), T0, b"h" * 32)
    # By a clock that was set back.
    newest = begin(catalog, "home", 2)
    record_run(catalog, "home", 3, exit_code=130)
    record_run(catalog, "home", 1, exit_code=0)
    assert only(catalog).snapshot_id == newest
    assert only(catalog).last_run_at == T0 + timedelta(days=1)


def test_a_later_sealed_snapshot_hides_an_open_one_of_before(catalog: Catalog) -> None:
    begin(catalog, "home", 1)
    newest = begin(catalog, "home", 2)
    catalog.snapshots.seal(newest, T0, b"h" * 32)
    record_run(catalog, "home", 2, exit_code=0)
    assert (only(catalog).snapshot_id, only(catalog).state) == (newest, "idle")


def test_segments_are_counted_by_state_without_the_superseded(catalog: Catalog) -> None:
    snapshot_id = begin(catalog, "home")
    catalog.segments.add(snapshot_id, segments(5))
    catalog.transitions.supersede(snapshot_id, [0])
    for number in (1, 2):
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
    catalog.transitions.mark_fed(snapshot_id, [3], "a", 0)
    catalog.transitions.record_failed(snapshot_id, 3, device="a", epoch=0, attempt=1, reason="source", message="")
    status = only(catalog)
    assert (status.segments_stored, status.segments_failed, status.segments_total) == (2, 1, 4)
    assert status.bytes_done == 200
    assert status.bytes_total == 400


def test_a_run_under_way_starts_walks_stores_and_seals(catalog: Catalog) -> None:
    phases = []

    def look() -> None:
        phases.append(only(catalog).phase)

    lock(catalog, "home")
    look()
    record_run(catalog, "home", exit_code=None)
    look()
    snapshot_id = begin(catalog, "home")
    look()
    plan(catalog, snapshot_id, 2)
    look()
    store(catalog, snapshot_id, 0)
    look()
    store(catalog, snapshot_id, 1)
    look()
    catalog.snapshots.seal(snapshot_id, datetime.now(UTC), b"h" * 32)
    look()

    assert phases == ["starting", "walking", "walking", "storing", "storing", "sealing", "sealing"]


def test_a_volume_that_nobody_backs_up_is_in_no_phase(catalog: Catalog) -> None:
    plan(catalog, begin(catalog, "home"), 2)
    record_run(catalog, "home", exit_code=None)
    assert (only(catalog).state, only(catalog).phase) == ("interrupted", None)


def test_what_the_run_before_has_left_is_no_progress_of_this_one(catalog: Catalog) -> None:
    snapshot_id = begin(catalog, "home")
    plan(catalog, snapshot_id, 1)
    store(catalog, snapshot_id, 0)
    catalog.snapshots.seal(snapshot_id, datetime.now(UTC), b"h" * 32)
    lock(catalog, "home")
    record_run(catalog, "home", 1, exit_code=0)
    assert only(catalog).phase == "starting"
    record_run(catalog, "home", exit_code=None, started_at=datetime.now(UTC))
    assert only(catalog).phase == "walking"


def test_a_resumed_run_walks_first_and_then_stores_the_rest_of_its_plan(catalog: Catalog) -> None:
    older = begin(catalog, "home", 1)
    plan(catalog, older, 2)
    store(catalog, older, 0)
    catalog.snapshots.seal(begin(catalog, "home", 2), T0, b"h" * 32)
    lock(catalog, "home")
    record_run(catalog, "home", exit_code=None, started_at=datetime.now(UTC))
    assert only(catalog).phase == "walking"

    catalog.snapshots.confirm_plan(older)

    status = only(catalog)
    assert (status.phase, status.snapshot_id) == ("storing", older)
    assert (status.bytes_done, status.bytes_total) == (100, 200)


def test_a_volume_has_its_reservations_and_is_shown_before_its_first_backup(catalog: Catalog) -> None:
    later, first, other = reserve(catalog, "home", 2), reserve(catalog, "home", 1), reserve(catalog, "srv", 1)
    home, srv = volumes(catalog)
    assert (home.state, home.reservations) == ("idle", (first, later))
    assert srv.reservations == (other,)


def test_only_the_newest_snapshots_of_each_volume_are_read(catalog: Catalog) -> None:
    for day in range(10):
        plan(catalog, begin(catalog, "home", day), 1)
    newest = {"home": begin(catalog, "home", 10), "mail": begin(catalog, "mail", 3)}

    read = catalog.snapshots.newest_of_each_volume()

    assert {volume: len(rows) for volume, rows in read.items()} == {"home": 2, "mail": 1}
    assert {volume: rows[0].snapshot_id for volume, rows in read.items()} == newest
