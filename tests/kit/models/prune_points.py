"""A pool of which a prune has something to do in each of its steps, and the places between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest

from kit.models.pruned_pool import Pool
from kit.tree import noise
from producer.requests import RepackLimits
from producer.retention.pruning.steps import STEPS

_REPACKING = "producer.retention.pruning.repacking.repack:Repacking"
#: What a prune does, one after the other, from its second step on.
POINTS = [
    *(f"producer.retention.pruning.steps:Prune.{step}" for step in STEPS[1:5]),
    f"{_REPACKING}._put_index",
    f"{_REPACKING}._swap",
    f"{_REPACKING}._tell",
    *(f"producer.retention.pruning.steps:Prune.{step}" for step in STEPS[5:]),
]

#: Of a repack of what shares parity.
PARITY_POINTS = [f"{_REPACKING}.{name}" for name in ("_form_groups", "_swap", "_tell")]

NONE_UNUSED = RepackLimits(max_unused_percent=0)


def fill(pool: Pool) -> None:
    """Three snapshots, the first two of them forgotten."""
    for number in range(3):
        pool.write(f"stays-{number}")
        pool.write("changes")
        # These lie in one segment, of which each backup leaves less that is needed.
        for name in range(4 - number):
            pool.write(f"small/{name}", 2000)
        pool.back_up()
    first, second, _ = (row.snapshot_id for row in pool.catalog.snapshots.all())
    pool.forget(first, second)


def fill_groups(pool: Pool) -> None:
    """Two snapshots with a parity of one; of what the first one stored the second needs a part of each object."""
    pool.made.ignore_ctime = True
    for number in range(48):
        (pool.source / f"{number:02}").write_bytes(noise(2_000, seed=number))
        os.utime(pool.source / f"{number:02}", (10**9, 10**9))
    first = pool.back_up()
    for number in range(48):
        if number % 4:
            (pool.source / f"{number:02}").write_bytes(noise(2_000, seed=100 + number))
    pool.back_up()
    pool.forget(first)


@contextmanager
def first_of_all(point: str, act: Callable[[], object]) -> Iterator[None]:
    """``act`` is called each time that the function called ``point`` begins."""
    module, _, path = point.partition(":")
    owner_name, name = path.split(".")
    owner = getattr(import_module(module), owner_name)
    really = getattr(owner, name)

    def acting(*args: object) -> object:
        act()
        return really(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, acting)
        yield
