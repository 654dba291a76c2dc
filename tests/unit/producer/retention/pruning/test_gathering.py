"""What many forgotten snapshots lend is gathered, so that manifests do not fill the devices for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.retention.pruning.gathering import MAX_LENDERS_COUNT
from tasks.errors import DeviceFullError
from tasks.orders import Order, PutManifest


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Each snapshot but the last is forgotten, and each of these lends its one file."""
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        for number in range(MAX_LENDERS_COUNT + 2):
            pool.write(f"{number}/file", 3000)
            pool.back_up()
        pool.forget(*(row.snapshot_id for row in pool.catalog.snapshots.all()[:-1]))
        yield pool


def heads(pool: Pool, device: str = "a") -> int:
    return len(list((pool.device(device) / "manifests").glob("*.manifest")))


def test_many_lenders_become_one_and_all_is_whole(pool: Pool) -> None:
    assert heads(pool) == MAX_LENDERS_COUNT + 2

    pool.made.prune()

    assert heads(pool) == heads(pool, "b") == 2
    assert sorted(pool.catalog.snapshots.states().values()) == ["forgotten", "sealed"]
    pool.check()
    pool.write("new")
    pool.back_up()
    pool.made.prune()
    pool.check()
    assert heads(pool) == 3


def test_a_catalog_made_again_reads_what_was_gathered(pool: Pool, tmp_path: Path) -> None:
    pool.made.prune()
    kept = pool.catalog.snapshots.find("latest").snapshot_id

    with Catalog(tmp_path / "again" / "catalog.sqlite") as again:
        assert InProcess(tmp_path, again).rebuild().errors == 0

        needed = again.trees.of(kept).parts_of_segments.keys()
        assert again.objects.of(needed).keys() == needed
        assert again.trees.without(set(again.trees.of(kept).digests)) == set()


def test_where_a_device_has_no_room_for_it_everything_stays_as_it_is(pool: Pool) -> None:
    lenders = {row.snapshot_id for row in pool.catalog.snapshots.all("forgotten")}

    def full(order: Order) -> None:
        if isinstance(order, PutManifest) and order.device == "b" and order.name.endswith((".part", ".manifest")):
            raise DeviceFullError("no room")

    pool.made.before = full
    pool.made.prune()
    pool.made.before = lambda order: None

    assert heads(pool, "b") == MAX_LENDERS_COUNT + 2
    assert all(not pool.catalog.remains.is_empty(snapshot_id) for snapshot_id in lenders)
    pool.check()
    pool.made.prune()
    pool.made.prune()
    assert heads(pool) == heads(pool, "b") == 2
    pool.check()


def test_nothing_is_gathered_while_a_device_is_away(pool: Pool) -> None:
    away = pool.folder / "away"
    pool.device("b").rename(away)
    pool.made.prune()
    away.rename(pool.device("b"))

    assert heads(pool) == heads(pool, "b") == MAX_LENDERS_COUNT + 2
