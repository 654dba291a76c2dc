"""A device that is retired takes nothing with it, not even out of a rebuilt catalog."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.compare import differences
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Two snapshots on a, b and c, and a copy of the tree of the first."""

    machine: Machine
    #: Snapshot → the tree that it restores to.
    trees: Mapping[str, Path]

    def assert_both_restore(self) -> None:
        for number, (snapshot, tree) in enumerate(self.trees.items()):
            target = self.machine.folder / f"back {number}"
            shutil.rmtree(target, ignore_errors=True)
            bring_back(self.machine, target, "a c", snapshot=snapshot)
            assert differences(tree, target / "data") == []


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with new_machine() as made:
        tree = Tree({"large": noise(900_000), **{f"d/{n}": noise(40_000, seed=n) for n in range(12)}})
        source = tree.make(made.folder / "data")
        first = made.succeed("backup", source, *made.devices("a b c"), *SMALL, "--json").summary["snapshot_id"]
        shutil.copytree(source, made.folder / "first")
        (source / "new").write_bytes(noise(300_000, seed=99))
        second = made.succeed("backup", source, *made.devices("a b c"), *SMALL, "--json").summary["snapshot_id"]
        yield Pool(machine=made, trees={first: made.folder / "first", second: source})


def test_a_device_that_cannot_give_away_what_it_holds_stays(pool: Pool) -> None:
    machine = pool.machine
    alone = machine.run("devices", "retire", "b", *machine.devices("b"))
    machine.device("b").rename(machine.folder / "away")
    absent = machine.run("devices", "retire", "b", *machine.devices("a c"))
    (machine.folder / "away").rename(machine.device("b"))
    unknown = machine.run("devices", "retire", "nobody", *machine.devices("a b c"))

    assert (alone.exit_code, "no other device of the pool" in alone.stderr) == (2, True)
    assert (absent.exit_code, "cannot give away what it holds" in absent.stderr) == (10, True)
    assert unknown.exit_code == 2
    read_all(machine, "a b c")


@pytest.fixture(scope="module")
def retired(pool: Pool) -> Pool:
    """The same without b, for the tests after the first one."""
    machine = pool.machine
    assert machine.segments_on("b")
    done = machine.succeed("devices", "retire", "b", *machine.devices("a b c"), "--json").rows_of("device")
    assert (done[0]["name"], done[0]["state"]) == ("b", "lost")
    shutil.rmtree(machine.device("b"))
    return pool


def test_all_that_a_retired_device_held_is_on_the_others(retired: Pool) -> None:
    machine = retired.machine
    retired.assert_both_restore()
    read_all(machine, "a c")
    again = machine.succeed("backup", "data", *machine.devices("a c"), *SMALL, "--json").summary
    assert (again["segments"], again["incomplete"]) == (0, [])


def test_neither_a_prune_nor_a_rebuild_after_it_loses_what_was_copied(retired: Pool) -> None:
    machine = retired.machine
    machine.succeed("prune", *machine.devices("a c"))
    machine.succeed("prune", *machine.devices("a c"))
    shutil.rmtree(machine.state)

    machine.succeed("rebuild", *machine.devices("a c"))

    retired.assert_both_restore()
