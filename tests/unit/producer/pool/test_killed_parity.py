"""A producer that ends while parity is written: the next backup, or a repair, completes it, and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import tree
from kit.tree import Tree, noise
from tasks.orders import Order
from tasks.orders.parity import MakeParity

TREE = Tree({str(n): noise(30_000 + 700 * n, seed=n) for n in range(12)})
PLAN: dict[str, Any] = {"segment_bytes": 64 * 1024, "parity": 1}


class Killed(BaseException):
    """Nothing of the run continues after this."""


def kill_at(number: int) -> Callable[[Order], None]:
    """At the order for a row of this number, counted from 0."""
    left = [number]

    def kill(order: Order) -> None:
        if isinstance(order, MakeParity):
            if left[0] == 0:
                raise Killed
            left[0] -= 1

    return kill


def is_whole_without_any_one(made: InProcess, folder: Path) -> bool:
    for name in "abc":
        away = folder / f"away-{name}"
        (folder / "devices" / name).rename(away)
        shutil.rmtree(folder / "back", ignore_errors=True)
        made.target = folder / "back"
        try:
            exit_code = made.restore().exit_code
        finally:
            away.rename(folder / "devices" / name)
        if exit_code or tree(folder / "back" / "data") != tree(folder / "data"):
            return False
    return True


@pytest.mark.parametrize("number", [0, 2])
def test_the_next_backup_completes_the_parity_of_one_that_was_killed(number: int, tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        source = TREE.make(tmp_path / "data")
        made.before = kill_at(number)
        with pytest.raises(Killed):
            made.back_up({"data": source}, **PLAN)
        made.before = lambda order: None

        summary = made.back_up({"data": source}, **PLAN)

        assert (summary.exit_code, summary.parity_missing) == (0, 0)
        assert is_whole_without_any_one(made, tmp_path)


def test_a_repair_completes_the_groups_of_a_backup_that_was_killed(tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        source = TREE.make(tmp_path / "data")
        made.back_up({"data": source}, segment_bytes=64 * 1024)
        made.before = kill_at(1)
        with pytest.raises(Killed):
            made.back_up({"data": source}, **PLAN)
        assert [row for group in made.catalog.parity.groups() for row in group.rows if row.digest is None]
        made.before = lambda order: None

        assert made.repair().exit_code == 0

        assert all(row.digest for group in made.catalog.parity.groups() for row in group.rows)
        assert is_whole_without_any_one(made, tmp_path)
