"""Each row of the table in docs/surviving.md: devices that are gone before a restore, or die in the middle of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import tree
from kit.tree import Tree, noise
from tasks.orders import Order, RestoreSegment

TREE = Tree({"large": noise(300_000), **{f"d/{n}": noise(20_000 + 900 * n, seed=n) for n in range(20)}})
SETTINGS: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 0),
    "copies 2": ({"copies": 2}, 1),
    "copies 3": ({"copies": 3}, 2),
    "parity 1": ({"parity": 1}, 1),
    "parity 2": ({"parity": 2}, 2),
}


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=list(SETTINGS))
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InProcess, int]]:
    """A backup on four devices, and how many of these it survives."""
    options, survived_count = request.param
    with in_process(tmp_path_factory.mktemp("pool"), "abcd") as made:
        source = TREE.make(made.folder / "data")
        assert made.back_up({"data": source}, segment_bytes=64 * 1024, **options).exit_code == 0
        yield made, survived_count


@pytest.mark.parametrize("answers_count", [0, 3], ids=["gone before", "dying in the middle"])
@pytest.mark.parametrize("more", [0, 1], ids=["as promised", "one more"])
def test_what_is_promised_comes_back_and_with_one_more_lost_all_but_the_files_that_are_named(
    pool: tuple[InProcess, int], more: int, answers_count: int, tmp_path: Path
) -> None:
    made, survived_count = pool
    lost = "abcd"[: survived_count + more]
    asked: list[Order] = []

    def die(order: Order) -> None:
        asked.extend([order] if isinstance(order, RestoreSegment) else [])
        if len(asked) > answers_count and made.device("a").exists():
            move(made, lost)

    if answers_count:
        made.before = die
    else:
        move(made, lost)
    made.target = tmp_path / "back"
    try:
        exit_code = made.restore().exit_code
    finally:
        made.before = lambda order: None
        for name in lost:
            if (made.folder / f"away-{name}").exists():
                (made.folder / f"away-{name}").rename(made.device(name))

    missing = {path.removeprefix("data/") for path, _ in made.troubles if path}
    assert bool(missing) == bool(more)
    assert exit_code == (3 if more else 0)
    whole = tree(made.folder / "data")
    assert tree(tmp_path / "back" / "data") == {path: data for path, data in whole.items() if path not in missing}
    shutil.rmtree(tmp_path / "back")


def move(made: InProcess, names: str) -> None:
    for name in names:
        made.device(name).rename(made.folder / f"away-{name}")
