"""What an operator says of a device is compared with what is in the folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.models.offline import report
from producer.catalog.tables.devices import DeviceRow, DeviceState
from producer.pool.exchange import check_moved, check_replacement
from tasks.errors import NotADeviceError
from tasks.receipts import DeviceReport

POOL = "1" * 32
PLACE = Path("/mnt/new")


def row(name: str, state: DeviceState = "live") -> DeviceRow:
    return DeviceRow(
        name=name,
        device_id=name * 32,
        pool_id=POOL,
        state=state,
        reason="",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        capacity_bytes=0,
        free_bytes=0,
        epoch=0,
        path=f"/mnt/{name}",
    )


def holding(name: str, pool_id: str = POOL, **fields: Any) -> DeviceReport:
    common = {"condition": "ready", "device_id": name * 32, "pool_id": pool_id, "marker_name": name}
    return report(**{**common, **fields})


@pytest.mark.parametrize("condition", ["ready", "unwritable"])
def test_a_device_has_moved_to_where_its_marker_is(condition: str) -> None:
    check_moved(row("b"), PLACE, holding("b", condition=condition))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (report(), "/mnt/new has no marker of device b: it is empty"),
        (report(condition="missing", detail="no such folder"), "has no marker of device b: no such folder"),
        (holding("c"), "/mnt/new holds device c (cccccccc), not b (bbbbbbbb)"),
    ],
    ids=["empty", "missing", "another device"],
)
def test_a_device_has_not_moved_to_where_its_marker_is_not(found: DeviceReport, why: str) -> None:
    with pytest.raises(NotADeviceError) as caught:
        check_moved(row("b"), PLACE, found)
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("found", "others"),
    [(report(), []), (holding("n"), []), (holding("c"), [row("c", "lost")])],
    ids=["an empty folder", "a device of the pool that this catalog does not know", "a device that was lost"],
)
def test_a_device_is_replaced_by(found: DeviceReport, others: list[DeviceRow]) -> None:
    check_replacement(row("b"), PLACE, found, [row("a"), row("b"), *others])


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (holding("b"), "/mnt/new holds device b itself"),
        (holding("a"), "/mnt/new holds device a (aaaaaaaa)"),
        (holding("x", "2" * 32), "/mnt/new holds a device of another pool"),
        (report(condition="foreign", detail="/mnt/new holds 'thesis'"), "device b: /mnt/new holds 'thesis'"),
        (report(condition="missing", detail="/mnt/new does not exist"), "device b: /mnt/new does not exist"),
    ],
    ids=["the device itself", "another device", "a device of another pool", "other files", "nothing"],
)
def test_a_device_is_not_replaced_by(found: DeviceReport, why: str) -> None:
    with pytest.raises(NotADeviceError) as caught:
        check_replacement(row("b"), PLACE, found, [row("a"), row("b")])
    assert why in caught.value.message
    assert caught.value.hint
