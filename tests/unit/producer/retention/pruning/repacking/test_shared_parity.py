"""Prunes that repack objects which share parity: at no moment does anything depend on one device alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.models.prune_points import NONE_UNUSED, fill_groups
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.catalog.tables.parity import ParityGroup
from producer.monitor.space.space import space
from producer.summaries import PruneSummary
from tasks.errors import DeviceFullError
from tasks.orders import Order, PutManifest
from tasks.orders.cleaning import DeleteStored
from tasks.orders.parity import MakeParity
from tasks.orders.repacking import RepackObject


class Killed(BaseException):
    """The manager is gone; what the workers have done stands."""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """On a, b and c."""
    with in_process(tmp_path, "abc") as made:
        pool = Pool(tmp_path, made, parity=1)
        fill_groups(pool)
        yield pool


def groups(pool: Pool) -> list[ParityGroup]:
    return pool.catalog.parity.groups()


def check_all_goes(pool: Pool) -> None:
    """What a prune leaves: nothing is unused, and all that is stored has parity."""
    assert sum(device.held.bytes_unused for device in space(pool.catalog)[1]) == 0
    assert pool.objects() == pool.needed_objects()
    assert {one.object_id for group in groups(pool) for one in group.members} == pool.objects()
    rows = {path.name for name in pool.made.devices for path in pool.device(name).rglob("*.par")}
    assert rows == {f"{group.group_id}.par" for group in groups(pool)}


def test_what_is_dead_in_members_of_groups_goes_and_any_device_may_be_lost(pool: Pool, tmp_path: Path) -> None:
    would = pool.made.prune(dry_run=True, limits=NONE_UNUSED)
    done = pool.made.prune(limits=NONE_UNUSED)

    assert done.exit_code == 0 and done.objects_written > 0 and done.bytes_unused == 0
    assert counts(would) == counts(done)
    assert would.parity_made > 0
    check_all_goes(pool)
    pool.check_without(*"abc")
    again = pool.made.prune(limits=NONE_UNUSED)
    assert (again.objects_deleted, again.objects_written) == (0, 0)
    assert not any(isinstance(order, MakeParity) for order in pool.made.orders)
    with Catalog(tmp_path / "again.sqlite") as pool.made.catalog:
        pool.made.rebuild()
        assert pool.made.catalog.parity.groups() == groups(pool)


def counts(summary: PruneSummary) -> dict[str, tuple[int, int, int]]:
    """Of each device: what goes, and what comes."""
    return {name: (one.objects_deleted, one.objects_written, one.parity_made) for name, one in summary.devices.items()}


def test_a_dry_run_says_which_rows_of_groups_would_go_and_come(tmp_path: Path) -> None:
    """Of six objects in groups of three, two are dead: the groups are made anew without them."""
    with in_process(tmp_path, "abcd") as made:
        pool = Pool(tmp_path, made, parity=1, bundle=False)
        made.ignore_ctime = True
        for number in range(6):
            pool.write(f"file-{number}", 40_000)
            os.utime(pool.source / f"file-{number}", (10**9, 10**9))
        first = pool.back_up()
        for number in range(2):
            (pool.source / f"file-{number}").unlink()
        pool.back_up()
        pool.forget(first)
        before = files(pool)

        would = made.prune(dry_run=True, limits=NONE_UNUSED)
        assert files(pool) == before
        done = made.prune(limits=NONE_UNUSED)

        assert counts(would) == counts(done)
        assert (would.parity_made > 0, would.objects_deleted) == (True, len(before.keys() - files(pool)))
        assert would.bytes_freed == sum(before[path] for path in before.keys() - files(pool))
        # A row has a directory at its end.
        assert 0 < done.bytes_parity - would.bytes_parity < done.parity_made * 2_000


def files(pool: Pool) -> dict[Path, int]:
    """Objects and rows on the devices, with their sizes."""
    found = (path for kind in ("*.seg", "*.par") for path in (pool.folder / "devices").rglob(kind))
    return {path: path.stat().st_size for path in found}


def test_a_prune_that_is_killed_at_any_kind_of_order_leaves_all_protected(pool: Pool) -> None:
    kinds = (PutManifest, RepackObject, MakeParity, MakeParity, DeleteStored)
    for number, (kind, away) in enumerate(zip(kinds, cycle("abc"), strict=False), start=1):
        pool.made.before = killed_at(kind, number, carried_out=number % 2 == 0, pool=pool)
        with suppress(Killed):
            pool.made.prune(limits=NONE_UNUSED)
        pool.made.before = lambda order: None
        pool.check_without(away)

    pool.made.prune(limits=NONE_UNUSED)
    check_all_goes(pool)


def killed_at(kind: type, number: int, *, carried_out: bool, pool: Pool) -> Callable[[Order], None]:
    """At the order of this number among those of the kind, before a worker carries it out or before its receipt."""
    left = number

    def before(order: Order) -> None:
        nonlocal left
        left -= isinstance(order, kind)
        if left == 0:
            if carried_out:
                pool.made.carry_out(order)
            raise Killed

    return before


def test_where_a_row_cannot_be_written_the_old_objects_stay_with_their_parity(pool: Pool) -> None:
    def refuse(order: Order) -> None:
        if isinstance(order, MakeParity):
            raise DeviceFullError(f"device {order.device} is full")

    before, stored = groups(pool), pool.objects()
    pool.made.before = refuse
    done = pool.made.prune(limits=NONE_UNUSED)
    pool.made.before = lambda order: None

    assert done.exit_code == 3
    assert (groups(pool), pool.objects()) == (before, stored)
    pool.check_without(*"abc")


def test_what_shares_parity_with_a_device_that_is_away_waits_for_it(pool: Pool) -> None:
    before = groups(pool)
    with pool.without("c"):
        done = pool.made.prune(limits=NONE_UNUSED)
    assert (done.objects_written, groups(pool)) == (0, before)

    pool.made.prune(limits=NONE_UNUSED)
    check_all_goes(pool)
