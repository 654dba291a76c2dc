"""A device that is retired takes nothing with it, not even out of a rebuilt catalog."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from kit.compare import differences
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")


@pytest.fixture
def pool() -> Iterator[Machine]:
    """Two snapshots on a, b and c, and a copy of the tree of the first."""
    with new_machine() as made:
        tree = Tree({"large": noise(900_000), **{f"d/{n}": noise(40_000, seed=n) for n in range(12)}})
        source = tree.make(made.folder / "data")
        made.succeed("backup", source, *made.devices("a b c"), *SMALL)
        shutil.copytree(source, made.folder / "first")
        (source / "new").write_bytes(noise(300_000, seed=99))
        made.succeed("backup", source, *made.devices("a b c"), *SMALL)
        yield made


def assert_both_restore(machine: Machine) -> None:
    for snapshot, tree in (("latest", "data"), ("latest~1", "first")):
        target = machine.folder / f"back of {snapshot}"
        shutil.rmtree(target, ignore_errors=True)
        machine.succeed("restore", snapshot, "--target", target, *machine.devices("a c"))
        assert differences(machine.folder / tree, target / "data") == []


def test_all_that_a_retired_device_held_is_on_the_others(pool: Machine) -> None:
    stored_count = len(pool.segments_on("b"))
    done = pool.succeed("devices", "retire", "b", *pool.devices("a b c"), "--json").rows_of("device")
    shutil.rmtree(pool.device("b"))

    assert stored_count > 0
    assert (done[0]["name"], done[0]["state"]) == ("b", "lost")
    assert_both_restore(pool)
    pool.succeed("check", "--read-data", *pool.devices("a c"))
    again = pool.succeed("backup", "data", *pool.devices("a c"), *SMALL, "--json").summary
    assert (again["segments"], again["incomplete"]) == (0, [])


def test_a_catalog_that_is_rebuilt_without_the_retired_device_finds_the_copies(pool: Machine) -> None:
    pool.succeed("devices", "retire", "b", *pool.devices("a b c"))
    shutil.rmtree(pool.device("b"))
    shutil.rmtree(pool.state)

    pool.succeed("rebuild", *pool.devices("a c"))

    assert_both_restore(pool)


def test_a_prune_after_it_keeps_what_was_copied(pool: Machine) -> None:
    pool.succeed("devices", "retire", "b", *pool.devices("a b c"))
    shutil.rmtree(pool.device("b"))
    pool.succeed("prune", *pool.devices("a c"))
    pool.succeed("prune", *pool.devices("a c"))

    assert_both_restore(pool)


def test_a_device_that_cannot_give_away_what_it_holds_stays(pool: Machine) -> None:
    alone = pool.run("devices", "retire", "b", *pool.devices("b"))
    pool.device("b").rename(pool.folder / "away")
    absent = pool.run("devices", "retire", "b", *pool.devices("a c"))
    (pool.folder / "away").rename(pool.device("b"))
    unknown = pool.run("devices", "retire", "nobody", *pool.devices("a b c"))

    assert (alone.exit_code, "no other device of the pool" in alone.stderr) == (2, True)
    assert (absent.exit_code, "cannot give away what it holds" in absent.stderr) == (10, True)
    assert unknown.exit_code == 2
    assert_both_restore_from_all(pool)


def assert_both_restore_from_all(machine: Machine) -> None:
    machine.succeed("check", "--read-data", *machine.devices("a b c"))
