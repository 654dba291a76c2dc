"""Prunes that repack, with the workers' real code, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from kit.models.in_process import InProcess, in_process
from kit.models.owners import enter_owner
from kit.models.pruned_pool import Pool
from kit.tree import noise
from producer.catalog.catalog import Catalog
from producer.catalog.schema import snapshots
from producer.monitor.space.space import space
from producer.requests import RepackLimits
from tasks.errors import DeviceFullError, NotADeviceError, OutOfReachError
from tasks.orders import Order
from tasks.orders.copying import CopyObject
from tasks.orders.repacking import RepackObject

NONE_UNUSED = RepackLimits(max_unused_percent=0)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Two snapshots, of which the first is forgotten: the second needs a quarter of what it stored."""
    with in_process(tmp_path) as made:
        made.ignore_ctime = True
        pool = Pool(tmp_path, made)
        for number in range(40):
            write(pool, f"{number:02}", seed=number)
        first = pool.back_up()
        for number in range(40):
            if number % 4:
                write(pool, f"{number:02}", seed=number + 100)
        pool.back_up()
        pool.forget(first)
        yield pool


def write(pool: Pool, name: str, *, seed: int) -> None:
    (pool.source / name).write_bytes(noise(6000, seed=seed))


def unused(pool: Pool) -> int:
    return sum(device.held.bytes_unused for device in space(pool.catalog)[1])


def objects_on(pool: Pool) -> set[str]:
    return {name.removesuffix(".seg") for name in pool.stored() if name.endswith(".seg")}


def objects_known(pool: Pool) -> set[str]:
    return {
        one.object_id for row in pool.catalog.devices.all() for one in pool.catalog.objects.on_device(row.device_id)
    }


def needed_objects(pool: Pool) -> set[tuple[str, str]]:
    tree = pool.catalog.trees.of(pool.catalog.snapshots.find("latest").snapshot_id)
    return {one.key for objects in pool.catalog.objects.of(tree.parts_of_segments).values() for one in objects}


def test_what_is_dead_in_objects_that_are_needed_goes_and_all_snapshots_are_whole(pool: Pool) -> None:
    would = pool.made.prune(dry_run=True, limits=NONE_UNUSED)
    done = pool.made.prune(limits=NONE_UNUSED)

    assert done.exit_code == 0 and done.objects_written > 0 and done.bytes_unused == 0
    assert (would.objects_deleted, would.objects_written) == (done.objects_deleted, done.objects_written)
    assert would.bytes_freed <= done.bytes_freed and would.bytes_unused == 0
    pool.check()
    assert unused(pool) == 0
    assert objects_on(pool) == objects_known(pool)
    again = pool.made.prune(limits=NONE_UNUSED)
    assert (again.objects_deleted, again.objects_written) == (0, 0)


def test_without_a_limit_nothing_is_repacked_and_stats_say_what_is_unused(pool: Pool) -> None:
    done = pool.made.prune(limits=RepackLimits(max_unused_percent=None))

    assert (done.objects_written, done.bytes_unused) == (0, None)
    assert unused(pool) > 0
    would = pool.made.prune(dry_run=True, limits=RepackLimits(max_unused_percent=None))
    assert would.bytes_unused == unused(pool)


def test_cells_of_a_large_file_that_nothing_needs_go(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        image = pool.source / "image"
        image.write_bytes(noise(9 * 1024 * 1024, seed=77))
        first = made.back_up({"data": pool.source}, segment_bytes=16 * 1024 * 1024, unit_bytes=1024 * 1024)
        with image.open("r+b") as file:
            file.write(noise(4 * 1024 * 1024, seed=78))
        pool.back_up()
        assert first.snapshot_id
        pool.forget(first.snapshot_id)

        assert made.prune(limits=NONE_UNUSED).bytes_freed > 4_000_000
        pool.check()
        assert unused(pool) == 0


def test_a_backup_after_a_repack_counts_on_what_was_repacked(pool: Pool) -> None:
    pool.made.prune(limits=NONE_UNUSED)
    write(pool, "new", seed=500)
    pool.back_up()

    assert pool.made.prune(limits=NONE_UNUSED).objects_written == 0
    pool.check()


def test_a_catalog_made_again_finds_what_was_repacked(pool: Pool, tmp_path: Path) -> None:
    pool.made.prune(limits=NONE_UNUSED)
    needed = needed_objects(pool)

    with Catalog(tmp_path / "again" / "catalog.sqlite") as again:
        made = InProcess(tmp_path, again)
        assert made.rebuild().errors == 0
        rebuilt = Pool.__new__(Pool)
        rebuilt.catalog, rebuilt.made, rebuilt.folder, rebuilt.copies = again, made, pool.folder, pool.copies

        assert needed_objects(rebuilt) == needed
        rebuilt.check()


def test_what_somebody_reads_stays_as_it_is(pool: Pool) -> None:
    """And is repacked by the next prune."""
    kept = pool.catalog.snapshots.find("latest").snapshot_id
    owner_id = enter_owner(pool.catalog)
    pool.catalog.locks.take(f"snapshot {kept} {owner_id[:8]}", owner_id, "mount")

    done = pool.made.prune(limits=NONE_UNUSED)

    assert done.objects_written == 0 and done.bytes_unused == unused(pool) > 0
    pool.catalog.owners.leave(owner_id)
    assert pool.made.prune(limits=NONE_UNUSED).bytes_unused == 0
    pool.check()


def test_what_somebody_begins_to_read_while_it_is_written_anew_stays_too(pool: Pool) -> None:
    kept = pool.catalog.snapshots.find("latest").snapshot_id
    before, owner_id = objects_known(pool), enter_owner(pool.catalog)

    def begin(order: Order) -> None:
        if isinstance(order, RepackObject):
            pool.catalog.locks.take(f"snapshot {kept} {owner_id[:8]}", owner_id, "restore")

    pool.made.before = begin
    pool.made.prune(limits=NONE_UNUSED)
    pool.made.before = lambda order: None

    assert objects_on(pool) == objects_known(pool) and objects_known(pool) <= before
    pool.check()


def test_a_damaged_object_is_not_repacked_and_the_others_are(pool: Pool) -> None:
    def damage(order: Order) -> None:
        if isinstance(order, RepackObject) and not damaged:
            path = next(pool.folder.rglob(f"{order.from_object_id}.seg"))
            damaged[path] = path.read_bytes()
            path.write_bytes(damaged[path][:-30])

    damaged: dict[Path, bytes] = {}
    pool.made.before = damage
    done = pool.made.prune(limits=NONE_UNUSED)
    pool.made.before = lambda order: None

    assert done.exit_code == 3 and done.objects_written > 0
    for path, data in damaged.items():
        path.write_bytes(data)
    pool.check()


@pytest.mark.parametrize("error", [DeviceFullError("no room"), NotADeviceError("gone")])
def test_a_device_that_fails_while_it_writes_costs_nothing(pool: Pool, error: Exception) -> None:
    def fail(order: Order) -> None:
        if isinstance(order, RepackObject) and order.device == "b":
            raise error

    pool.made.before = fail
    assert pool.made.prune(limits=NONE_UNUSED).exit_code in (0, 3)
    pool.made.before = lambda order: None

    pool.check()
    assert pool.made.prune(limits=NONE_UNUSED).bytes_unused == 0
    pool.check()
    assert objects_on(pool) == objects_known(pool)


def test_copies_are_repacked_on_as_many_devices(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        snapshots = []
        for changed in (1, 4):
            for number in (number for number in range(40) if changed == 1 or number % changed):
                write(pool, f"{number:02}", seed=100 * changed + number)
            snapshots.append(made.back_up({"data": pool.source}, copies=2).snapshot_id or "")
        pool.copies[snapshots[1]] = pool.source
        pool.forget(snapshots[0])

        done = made.prune(limits=NONE_UNUSED)

        assert done.objects_written > 0 and done.objects_written % 2 == 0 and done.bytes_unused == 0
        for name in "ab":
            assert {path.stem for path in pool.device(name).rglob("*.seg")} == objects_known(pool)
        pool.check()


def test_a_device_that_is_retired_gives_away_only_what_is_needed(pool: Pool) -> None:
    pool.made.prune(limits=RepackLimits(max_unused_percent=None))
    held = next(device.held for device in space(pool.catalog)[1] if device.row.name == "b")
    assert held.bytes_unused > 0

    retired = pool.made.retire("b")

    assert (retired.row.name, retired.row.state) == ("b", "lost")
    assert 0 < retired.bytes_copied < held.bytes_stored - held.bytes_unused // 2
    pool.device("b").rename(pool.folder / "away")
    pool.check()


def test_a_device_can_be_retired_while_an_interrupted_backup_is_all_that_the_pool_has(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        for number in range(8):
            write(pool, f"{number:02}", seed=number)
        pool.back_up()
        with pool.catalog.transaction():
            pool.catalog.snapshots._database.write(update(snapshots).values(state="open"))

        assert made.retire("b").objects_copied > 0


@pytest.mark.parametrize("hosts", [("ab", "c"), ("a", "bc"), ("a", "b", "c")])
def test_a_repack_over_hosts_needs_no_device_to_read_another_that_it_does_not_reach(
    tmp_path: Path, hosts: tuple[str, ...]
) -> None:
    """As if the disks had been put into several hosts after the backups."""
    with in_process(tmp_path, "abc") as made:
        pool = Pool(tmp_path, made)
        for number in range(40):
            write(pool, f"{number:02}", seed=number)
        first = made.back_up({"data": pool.source}, copies=2).snapshot_id
        for number in range(40):
            if number % 4:
                write(pool, f"{number:02}", seed=number + 100)
        pool.back_up()
        assert first is not None
        pool.forget(first)

        made.before = lambda order: refuse_other_hosts(order, hosts)
        done = made.prune(limits=NONE_UNUSED)

        assert (done.exit_code, done.bytes_unused) == (0, unused(pool))
        assert done.objects_written > 0 if len(hosts) == 2 else unused(pool) > 0
        pool.check()
        assert objects_on(pool) == objects_known(pool)


def refuse_other_hosts(order: Order, hosts: tuple[str, ...]) -> None:
    if isinstance(order, RepackObject | CopyObject):
        (host,) = (names for names in hosts if order.device in names)
        if order.from_device not in host:
            raise OutOfReachError(f"device {order.from_device} is on another host")


def test_copies_that_each_host_made_from_the_source_stay_on_different_devices(tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        pool = Pool(tmp_path, made)
        for number in range(40):
            write(pool, f"{number:02}", seed=number)
        made.devices = "ab"
        made.before = lambda order: refuse_other_hosts(order, ("a", "b", "c"))
        first = made.back_up({"data": pool.source}, copies=2).snapshot_id
        made.devices = "abc"
        for number in range(40):
            if number % 4:
                write(pool, f"{number:02}", seed=number + 100)
        made.back_up({"data": pool.source}, copies=2)
        assert first is not None
        pool.forget(first)

        made.before = lambda order: None
        done = made.prune(limits=NONE_UNUSED)

        assert (done.exit_code, done.bytes_unused) == (0, 0) and done.objects_written > 0
        tree = pool.catalog.trees.of(pool.catalog.snapshots.find("latest").snapshot_id)
        for objects in pool.catalog.objects.of(tree.parts_of_segments).values():
            assert len({one.device_id for one in objects}) == len(objects) == 2
