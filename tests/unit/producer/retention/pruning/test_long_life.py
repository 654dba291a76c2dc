"""Random lives of a pool: changes, backups, forgetting, prunes that are killed, devices that are away."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.models.pruned_pool import Pool
from tasks.cleaning import DeleteStored
from tasks.orders import Order, PutManifest


class Killed(BaseException):
    """The manager is gone."""


class Life:
    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.choose = random.Random(seed)
        self.log: list[str] = []

    def step(self) -> None:
        what = self.choose.choice(
            (self.change, self.back_up, self.forget, self.prune, self.kill_prune, self.prune_apart)
        )
        self.log.append(what.__name__)
        what()

    def change(self) -> None:
        for _ in range(self.choose.randint(1, 4)):
            self.pool.write(f"{self.choose.randint(0, 2)}/{self.choose.randint(0, 5)}", self.choose.randint(1, 20_000))
        files = sorted(path for path in self.pool.source.rglob("*") if path.is_file())
        if len(files) > 5:
            self.choose.choice(files).unlink()

    def back_up(self) -> None:
        self.change()
        self.pool.back_up()

    def forget(self) -> None:
        ids = [row.snapshot_id for row in self.pool.catalog.snapshots.all()]
        self.pool.forget(*self.choose.sample(ids, self.choose.randint(0, max(0, len(ids) - 1))))

    def prune(self) -> None:
        if self.pool.catalog.devices.all():
            assert self.pool.made.prune().exit_code == 0
            self.pool.check()

    def kill_prune(self) -> None:
        self.pool.made.before = killing_at(self.choose.randint(1, 8))
        with suppress(Killed):
            self.prune()
        self.pool.made.before = lambda order: None
        self.pool.check()

    def prune_apart(self) -> None:
        """One device is away meanwhile."""
        name = self.choose.choice("ab")
        away = self.pool.folder / f"away-{name}"
        self.pool.device(name).rename(away)
        try:
            if self.pool.catalog.devices.all():
                assert self.pool.made.prune().exit_code == 0
        finally:
            away.rename(self.pool.device(name))
        self.pool.check()


def killing_at(number: int) -> Callable[[Order], None]:
    seen: list[Order] = []

    def before(order: Order) -> None:
        if isinstance(order, PutManifest | DeleteStored):
            seen.append(order)
            if len(seen) == number:
                raise Killed

    return before


@pytest.mark.parametrize("seed", range(3))
def test_every_kept_snapshot_is_restored_whatever_happened(tmp_path: Path, seed: int) -> None:
    with in_process(tmp_path) as made:
        life = Life(Pool(tmp_path, made), seed)
        life.back_up()
        for _ in range(14):
            life.step()
        life.prune()

        pool = life.pool
        on_devices = {name.removesuffix(".seg") for name in pool.stored() if name.endswith(".seg")}
        trees = [pool.catalog.trees.of(row.snapshot_id) for row in pool.catalog.snapshots.all()]
        needed = pool.catalog.objects.of({found for tree in trees for found in tree.parts_of_segments})
        assert on_devices == {row.object_id for rows in needed.values() for row in rows}, life.log
