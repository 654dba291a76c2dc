"""A pool of which a prune has something to do in each of its steps, and the places between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest

from kit.models.pruned_pool import Pool
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
