"""What a device is now: what it says of itself, and what the last run has recorded of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.models.offline import GIB, report
from producer.catalog.tables.devices import DeviceRow, DeviceState
from producer.pool.ask_devices import device_row

DAY_AGO = datetime.now(UTC) - timedelta(days=1)


def ready(**fields: Any) -> Any:
    return report(**{"condition": "ready", "device_id": "a" * 32, "pool_id": "1" * 32, "marker_name": "a", **fields})


def recorded(state: DeviceState, reason: str = "", capacity_bytes: int = 100 * GIB) -> DeviceRow:
    return DeviceRow(
        name="a",
        device_id="a" * 32,
        pool_id="1" * 32,
        state=state,
        reason=reason,
        since=DAY_AGO,
        capacity_bytes=capacity_bytes,
        free_bytes=90 * GIB,
        epoch=1,
        path="/mnt/a",
    )


def row(its: Any, known: DeviceRow | None, *, away: str = "") -> DeviceRow:
    return device_row("a", Path("/mnt/a"), its, known, away=away)


@pytest.mark.parametrize(
    ("condition", "state"),
    [("ready", "live"), ("empty", "live"), ("missing", "absent"), ("unwritable", "suspect"), ("foreign", "suspect")],
)
def test_of_a_device_that_no_run_has_met_its_own_word_counts(condition: str, state: str) -> None:
    assert row(report(condition=condition), None).state == state


@pytest.mark.parametrize("condition", ["missing", "unwritable"])
def test_a_device_that_was_declared_dead_and_is_not_well_is_dead_since_then(condition: str) -> None:
    found = row(report(condition=condition, detail="not mounted"), recorded("dead", "I/O error"))
    assert (found.state, found.since) == ("dead", DAY_AGO)
    assert found.reason == "I/O error; now: not mounted"


def test_a_device_that_can_be_read_and_not_written_is_read_only_whatever_it_was() -> None:
    its_report = report(condition="unwritable", device_id="a" * 32, detail="/mnt/a: Read-only file system")
    for known in (None, recorded("live"), recorded("dead", "I/O error"), recorded("absent", "gone")):
        found = row(its_report, known)
        assert (found.state, found.reason) == ("read-only", "/mnt/a: Read-only file system")


def test_a_dead_device_that_is_well_again_is_live() -> None:
    found = row(ready(), recorded("dead", "I/O error"))
    assert (found.state, found.reason) == ("live", "")
    assert found.since > DAY_AGO


def test_a_device_that_was_full_stays_so_until_it_has_more_than_its_reserve_again() -> None:
    still, cleared = ready(free_bytes=2 * GIB), ready(free_bytes=2 * GIB + 1)
    found = row(still, recorded("full", "No space left on device"))
    assert (found.state, found.reason, found.since) == ("full", "No space left on device", DAY_AGO)
    assert row(cleared, recorded("full", "No space left on device")).state == "live"


def test_a_device_that_cannot_take_a_byte_is_full_whatever_was_recorded() -> None:
    found = row(ready(free_bytes=0, detail="/mnt/a: No space left on device"), recorded("live"))
    assert (found.state, found.reason) == ("full", "/mnt/a: No space left on device")


def test_an_absent_device_is_absent_since_it_went() -> None:
    assert row(report(condition="missing", detail="gone"), recorded("absent", "gone")).since == DAY_AGO


def test_a_device_that_is_not_mounted_shows_its_own_space_and_not_that_of_the_disk_below() -> None:
    below = report(condition="empty", capacity_bytes=7 * GIB, free_bytes=5 * GIB)
    found = row(below, recorded("live"), away="is it mounted?")
    assert (found.state, found.reason) == ("absent", "is it mounted?")
    assert (found.capacity_bytes, found.free_bytes) == (100 * GIB, 90 * GIB)


def test_a_folder_that_would_become_a_new_device_shows_the_space_that_it_has() -> None:
    found = row(report(condition="empty", capacity_bytes=7 * GIB, free_bytes=5 * GIB), None)
    assert (found.state, found.capacity_bytes, found.free_bytes) == ("live", 7 * GIB, 5 * GIB)
