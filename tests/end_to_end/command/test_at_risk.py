"""What would be lost if a device failed now is what really is missing once it is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Tree, noise


@pytest.fixture(scope="module")
def pool() -> Iterator[Machine]:
    with new_machine() as made:
        tree = Tree({"large": noise(900_000), **{f"d/{n}": noise(40_000, seed=n) for n in range(20)}})
        source = tree.make(made.folder / "data")
        made.succeed("backup", source, *made.devices("a b"), "--segment-size=256KiB", "--unit-size=64KiB")
        yield made


def test_the_files_at_risk_are_those_that_a_restore_without_the_device_names(pool: Machine) -> None:
    (row,) = [row for row in pool.succeed("devices", "--at-risk", "--json").rows if row.get("name") == "b"]
    listed = pool.succeed("devices", "--at-risk", "--list", "b", "--json").rows

    restore = pool.run("restore", "latest", "--target", pool.folder / "back", *pool.devices("a"), "--json")

    missing = {error["path"] for error in restore.errors if error["path"]}
    assert {entry["path"] for entry in listed} == missing
    assert row["at_risk"]["files"] == len(missing) > 0
    assert row["at_risk"]["snapshots"] == 1
    assert 0 < row["at_risk"]["bytes"] < 900_000 + 20 * 40_000


def test_what_is_at_risk_is_shown_beside_each_device(pool: Machine) -> None:
    shown = pool.succeed("devices", "--at-risk").stdout.decode()

    assert "would be lost" in shown.splitlines()[0]
    assert "of 1 snapshot" in shown


def test_bad_input(pool: Machine) -> None:
    assert pool.run("devices", "--list", "b").exit_code == 2
    assert pool.run("devices", "--at-risk", "--list", "nobody").exit_code == 2
