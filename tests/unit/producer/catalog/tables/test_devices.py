from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow, DeviceState, without_replaced
from tasks.errors import CatalogError

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)

A = DeviceRow(
    name="a",
    device_id="a" * 32,
    pool_id="1" * 32,
    state="live",
    reason="",
    since=SINCE,
    capacity_bytes=2**44,
    free_bytes=2**43,
    epoch=1,
    path="/mnt/\udcff",
)


def test_a_device_comes_back_as_it_was_recorded(catalog: Catalog) -> None:
    catalog.devices.record(A)
    assert catalog.devices.all() == [A]
    assert catalog.devices.by_name("a") == A
    assert catalog.devices.by_name("b") is None


def test_recording_a_device_again_updates_it(catalog: Catalog) -> None:
    catalog.devices.record(A)
    moved = replace(A, name="a-new", path="/mnt/new", free_bytes=0, since=LATER)
    catalog.devices.record(moved)
    assert catalog.devices.all() == [replace(moved, since=SINCE)], "the state is the same since the first time"


def test_the_state_keeps_its_reason_and_its_time(catalog: Catalog) -> None:
    catalog.devices.record(A)
    before = datetime.now(UTC)

    catalog.devices.set_state(A.device_id, "dead", "no lease")
    (dead,) = catalog.devices.all()
    assert (dead.state, dead.reason) == ("dead", "no lease")
    assert before <= dead.since <= datetime.now(UTC)

    catalog.devices.set_state(A.device_id, "dead", "unmounted")
    (still_dead,) = catalog.devices.all()
    assert (still_dead.reason, still_dead.since) == ("unmounted", dead.since)


@pytest.mark.parametrize("state", ["dead", "full", "absent"])
def test_a_run_that_finds_a_device_dead_does_not_undo_that_it_was_declared_lost(
    catalog: Catalog, state: DeviceState
) -> None:
    catalog.devices.record(A)
    catalog.devices.set_state(A.device_id, "lost", "its operator said so")
    lost = catalog.devices.get(A.device_id)

    catalog.devices.set_state(A.device_id, state, "its folder is empty")
    assert catalog.devices.get(A.device_id) == lost

    catalog.devices.set_state(A.device_id, "live", "")
    assert catalog.devices.get(A.device_id).state == "live", "its marker was seen again"


def test_an_epoch_only_rises(catalog: Catalog) -> None:
    catalog.devices.record(A)
    assert catalog.devices.raise_epoch(A.device_id) == 2
    assert catalog.devices.raise_epoch(A.device_id) == 3

    catalog.devices.record(A)
    (row,) = catalog.devices.all()
    assert row.epoch == 3


def test_a_name_means_the_device_that_was_recorded_last(catalog: Catalog) -> None:
    other = replace(A, device_id="c" * 32, pool_id="2" * 32)
    catalog.devices.record(A)
    catalog.devices.record(other)
    assert catalog.devices.by_name("a") == other
    assert catalog.devices.all(pool_id="1" * 32) == [A]

    catalog.devices.record(A)
    assert catalog.devices.by_name("a") == A
    assert catalog.devices.all() == [A, other]


def test_an_unknown_device_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="not in the catalog"):
        catalog.devices.set_state("d" * 32, "dead", "no lease")
    with pytest.raises(CatalogError, match="not in the catalog"):
        catalog.devices.raise_epoch("d" * 32)


def test_a_state_that_does_not_exist_is_refused(catalog: Catalog) -> None:
    catalog.devices.record(A)
    with pytest.raises(CatalogError):
        catalog.devices.set_state(A.device_id, "tired", "")  # type: ignore[arg-type]


def test_a_list_shows_a_lost_device_until_another_of_its_pool_bears_its_name() -> None:
    lost, older = replace(A, state="lost"), replace(A, device_id="b" * 32, state="lost")
    elsewhere, successor = replace(A, device_id="c" * 32, pool_id="2" * 32), replace(A, device_id="d" * 32)
    assert without_replaced([lost, older, elsewhere]) == [lost, elsewhere]
    assert without_replaced([lost, successor, older]) == [successor]
