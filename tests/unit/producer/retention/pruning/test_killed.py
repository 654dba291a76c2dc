"""A prune that is killed between any two of its steps costs space alone, which the next one gets back."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.models.prune_points import NONE_UNUSED, POINTS, fill, first_of_all
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from tasks.orders import Order, PutManifest
from tasks.orders.cleaning import DeleteStored
from tasks.orders.repacking import RepackObject


class Killed(BaseException):
    """The manager is gone; what the workers were ordered to do before stands."""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        fill(pool)
        yield pool


def at_step(number: int, *, carried_out: bool, pool: Pool) -> Callable[[Order], None]:
    """Kills at the ``number``-th order that changes a device, before a worker carries it out or before its receipt."""
    seen = 0

    def before(order: Order) -> None:
        nonlocal seen
        if isinstance(order, PutManifest | DeleteStored | RepackObject):
            seen += 1
            if seen == number:
                if carried_out:
                    pool.made.carry_out(order)
                raise Killed

    return before


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
def test_a_prune_that_is_killed_at_any_order_leaves_all_snapshots_whole(pool: Pool, carried_out: bool) -> None:
    steps_count = 0
    for number in range(1, 100):
        pool.made.before = at_step(number, carried_out=carried_out, pool=pool)
        try:
            pool.made.prune(limits=NONE_UNUSED)
        except Killed:
            steps_count += 1
        else:
            break
        finally:
            pool.made.before = lambda order: None
        pool.check()

    assert steps_count >= 4
    pool.made.prune(limits=NONE_UNUSED)
    pool.check()
    assert pool.made.prune(limits=NONE_UNUSED).objects_deleted == 0
    assert pool.objects() == pool.needed_objects()


def test_a_prune_whose_process_is_killed_before_any_of_its_steps_costs_space_alone(pool: Pool) -> None:
    for point in POINTS:
        process = get_context("fork").Process(target=prune_until, args=(pool.folder, point))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, point
        pool.check()

    pool.made.prune(limits=NONE_UNUSED)
    again = pool.made.prune(limits=NONE_UNUSED)
    assert (again.objects_deleted, again.objects_written, again.bytes_unused) == (0, 0, 0)
    pool.check()
    assert pool.objects() == pool.needed_objects()


def prune_until(folder: Path, point: str) -> None:
    """Prune in this process, and kill it where the function called ``point`` begins."""
    with in_process(folder) as made, first_of_all(point, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        made.prune(limits=NONE_UNUSED)


def test_a_backup_after_a_prune_that_was_killed_is_whole(pool: Pool) -> None:
    pool.made.before = at_step(4, carried_out=True, pool=pool)
    with pytest.raises(Killed):
        pool.made.prune(limits=NONE_UNUSED)
    pool.made.before = lambda order: None

    pool.write("new")
    pool.back_up()
    pool.made.prune(limits=NONE_UNUSED)

    pool.check()


def test_what_was_decided_survives_the_loss_of_all_that_was_not_synced(pool: Pool, tmp_path: Path) -> None:
    """The catalog as it is on its disk when the first object is deleted has the decision."""
    copy = tmp_path / "copy"

    def copied(order: Order) -> None:
        if isinstance(order, DeleteStored) and not copy.exists():
            shutil.copytree(tmp_path / "state", copy)

    pool.made.before = copied
    pool.made.prune(limits=NONE_UNUSED)

    with Catalog(copy / "catalog.sqlite") as catalog:
        assert len(catalog.snapshots.all()) == 1
        assert catalog.doomed.sums() and catalog.generations.raise_().number > 1
