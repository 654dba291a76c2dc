"""Locks and their owners, as rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from kit.models.owners import change_owners, enter_owner
from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from tasks.errors import LockedError

DEADLINE_S = 60
DEVICE = DeviceRow(
    name="a",
    device_id="a" * 32,
    pool_id="b" * 32,
    state="live",
    reason="",
    since=datetime(2026, 1, 1, tzinfo=UTC),
    capacity_bytes=1,
    free_bytes=1,
    epoch=0,
    path="/mnt/a",
)


def test_a_lock_is_taken_once_and_says_by_whom_and_what_for(catalog: Catalog) -> None:
    one, other = enter_owner(catalog, host="caf\udce9", manager="m", pid=7), enter_owner(catalog)
    assert catalog.locks.take("volume home", one, "backup of home")
    assert not catalog.locks.take("volume home", other, "another")
    assert not catalog.locks.take("volume home", one, "again")

    [lock] = catalog.locks.all()
    assert (lock.name, lock.purpose, lock.owner.owner_id) == ("volume home", "backup of home", one)
    assert (lock.owner.host, lock.owner.manager, lock.owner.pid) == ("caf\udce9", "m", 7)
    assert datetime.now(UTC) - lock.since < timedelta(seconds=DEADLINE_S)
    found = catalog.locks.get("volume home")
    assert found is not None
    assert found.owner.owner_id == one


def test_a_lock_of_another_name_is_free(catalog: Catalog) -> None:
    owner_id = enter_owner(catalog)
    assert catalog.locks.take("volume a", owner_id, "x")
    assert catalog.locks.take("volume b", owner_id, "x")
    assert [lock.name for lock in catalog.locks.all()] == ["volume a", "volume b"]
    assert catalog.locks.get("volume c") is None


def test_its_owner_alone_releases_a_lock(catalog: Catalog) -> None:
    one, other = enter_owner(catalog), enter_owner(catalog)
    catalog.locks.take("volume home", one, "x")
    catalog.locks.release("volume home", other)
    assert not catalog.locks.take("volume home", other, "x")
    catalog.locks.release("volume home", one)
    assert catalog.locks.take("volume home", other, "x")


def test_an_owner_that_leaves_leaves_no_lock(catalog: Catalog) -> None:
    owner_id = enter_owner(catalog)
    catalog.locks.take("volume home", owner_id, "x")
    catalog.owners.leave(owner_id)
    catalog.owners.leave(owner_id)
    assert (catalog.locks.all(), catalog.owners.all()) == ([], [])


def test_silence_is_counted_from_the_last_renewal_by_the_clock_of_the_database(
    catalog: Catalog, catalog_url: str
) -> None:
    owner_id = enter_owner(catalog)
    change_owners(catalog_url, silent_s=500)
    [silent] = catalog.owners.all()
    assert catalog.owners.renew(owner_id)
    [renewed] = catalog.owners.all()
    assert 499 <= silent.silent_s < 500 + DEADLINE_S
    assert renewed.silent_s < DEADLINE_S
    assert renewed.beats_count == silent.beats_count + 1


def test_an_owner_that_was_renewed_since_it_was_looked_at_is_not_removed(catalog: Catalog) -> None:
    owner_id = enter_owner(catalog)
    catalog.locks.take("volume home", owner_id, "x")
    [before] = catalog.owners.all()
    catalog.owners.renew(owner_id)
    assert not catalog.owners.remove(before)
    assert len(catalog.locks.all()) == 1


def test_a_removed_owner_has_lost_its_locks_and_writes_nothing_more(catalog: Catalog, catalog_url: str) -> None:
    catalog.devices.record(DEVICE)
    owner_id = enter_owner(catalog)
    catalog.write_as(owner_id)
    catalog.locks.take("volume home", owner_id, "x")
    catalog.devices.raise_epoch(DEVICE.device_id)

    with Catalog(catalog_url) as other:
        assert other.owners.remove(*other.owners.all())

    assert catalog.locks.all() == []
    for write in (
        lambda: catalog.devices.raise_epoch(DEVICE.device_id),
        lambda: catalog.locks.take("volume home", owner_id, "x"),
        catalog.confirm_writer,
    ):
        with pytest.raises(LockedError, match="lost its locks"):
            write()
    assert [row.epoch for row in catalog.devices.all()] == [1]
    catalog.write_as("")
    assert not catalog.owners.renew(owner_id)


def test_an_owner_is_not_removed_in_the_middle_of_what_it_writes(catalog: Catalog, catalog_url: str) -> None:
    catalog.devices.record(DEVICE)
    owner_id = enter_owner(catalog)
    catalog.write_as(owner_id)
    begun = threading.Event()

    def remove() -> int:
        with Catalog(catalog_url) as other:
            [owner] = other.owners.all()
            begun.set()
            assert other.owners.remove(owner)
            return other.devices.all()[0].epoch

    with ThreadPoolExecutor(1) as pool:
        with catalog.transaction():
            catalog.devices.raise_epoch(DEVICE.device_id)
            removal = pool.submit(remove)
            assert begun.wait(DEADLINE_S)
            catalog.devices.raise_epoch(DEVICE.device_id)
        assert removal.result(DEADLINE_S) == 2
    with pytest.raises(LockedError):
        catalog.devices.raise_epoch(DEVICE.device_id)


def test_of_many_that_want_a_lock_at_once_one_gets_it(catalog: Catalog, catalog_url: str) -> None:
    barrier = threading.Barrier(6)

    def take() -> bool:
        with Catalog(catalog_url) as own:
            owner_id = enter_owner(own)
            barrier.wait(DEADLINE_S)
            return own.locks.take("volume home", owner_id, "x")

    with ThreadPoolExecutor(6) as pool:
        results = [future.result(DEADLINE_S) for future in [pool.submit(take) for _ in range(6)]]
    assert sorted(results) == [False] * 5 + [True]


def test_many_that_meet_a_device_at_once_all_record_it(catalog: Catalog, catalog_url: str) -> None:
    barrier = threading.Barrier(6)

    def record(epoch: int) -> None:
        with Catalog(catalog_url) as own:
            barrier.wait(DEADLINE_S)
            own.devices.record(replace(DEVICE, epoch=epoch))

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(record, epoch) for epoch in range(6)]:
            future.result(DEADLINE_S)
    assert [row.device_id for row in catalog.devices.all()] == [DEVICE.device_id]
