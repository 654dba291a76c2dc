"""A prune that is killed between any two of its steps costs space alone, which the next one gets back."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.requests import RepackLimits
from producer.retention.pruning.steps import STEPS
from tasks.orders import Order, PutManifest
from tasks.orders.cleaning import DeleteStored
from tasks.orders.repacking import RepackObject


class Killed(BaseException):
    """The manager is gone; what the workers were ordered to do before stands."""


REPACKING = "producer.retention.pruning.repacking.repack:Repacking"
#: What a prune does, one after the other, from its second step on.
POINTS = [
    *(f"producer.retention.pruning.steps:Prune.{step}" for step in STEPS[1:5]),
    f"{REPACKING}._put_index",
    f"{REPACKING}._swap",
    f"{REPACKING}._tell",
    *(f"producer.retention.pruning.steps:Prune.{step}" for step in STEPS[5:]),
]

NONE_UNUSED = RepackLimits(max_unused_percent=0)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        for number in range(3):
            pool.write(f"stays-{number}")
            pool.write("changes")
            # These lie in one segment, of which each backup leaves less that is needed.
            for name in range(4 - number):
                pool.write(f"small/{name}", 2000)
            pool.back_up()
        first, second, _ = (row.snapshot_id for row in pool.catalog.snapshots.all())
        pool.forget(first, second)
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
    assert objects_on(pool) == needed_by(pool)


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
    assert objects_on(pool) == needed_by(pool)


def prune_until(folder: Path, point: str) -> None:
    """Prune in this process, and kill it where the function called ``point`` begins."""
    module, _, path = point.partition(":")
    owner, name = path.split(".")
    setattr(getattr(import_module(module), owner), name, lambda *_args: os.kill(os.getpid(), signal.SIGKILL))
    with in_process(folder) as made:
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


def objects_on(pool: Pool) -> set[str]:
    return {name.removesuffix(".seg") for name in pool.stored() if name.endswith(".seg")}


def needed_by(pool: Pool) -> set[str]:
    trees = [pool.catalog.trees.of(row.snapshot_id) for row in pool.catalog.snapshots.all()]
    found = pool.catalog.objects.of({segment_id for tree in trees for segment_id in tree.parts_of_segments})
    return {row.object_id for rows in found.values() for row in rows}


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
