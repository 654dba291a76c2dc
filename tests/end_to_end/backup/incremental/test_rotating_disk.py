"""A source on a disk that rotates is read by one worker at a time, and all of it is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.compare import differences
from kit.disks.small_disk import SmallDisk, small_disk
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.tree import Tree, noise
from workers.disks.disks import Disk, disk_of
from workers.disks.turns import turns_at

TREE = Tree({"large": noise(3 * 2**20, 1), **{f"small/{number:03}": noise(5_000, number) for number in range(200)}})

#: Many units, so that the workers meet.
STEPS = ("--segment-size=512KiB", "--unit-size=64KiB", "--reserve=64KiB", "--threads=1")


@pytest.fixture
def disk(machine: Machine) -> Iterator[SmallDisk]:
    with small_disk(machine.folder / "disk") as made:
        yield made


def test_the_kernel_says_that_a_disk_rotates(disk: SmallDisk) -> None:
    name = disk.rotate()
    assert disk_of(disk.folder) == Disk(name=name, rotates=True)
    assert disk_of(disk.folder / "lost+found").name == name


@pytest.mark.parametrize(("rotates", "option"), [(True, ()), (False, ("--readers=1",))], ids=["rotates", "asked for"])
def test_a_source_is_read_in_turns_and_comes_back(
    machine: Machine, disk: SmallDisk, rotates: bool, option: tuple[str, ...]
) -> None:
    disk.rotate(rotates)
    source = TREE.make(disk.folder / "data")
    turns = turns_at(source, "read", 1)
    assert turns is not None
    before = turns.marks()
    machine.succeed("backup", source, *machine.devices("a b c"), *STEPS, *option)
    assert turns.marks() != before
    bring_back(machine, "out")
    assert differences(source, machine.folder / "out" / "data") == []


def test_a_turn_that_is_never_given_back_does_not_stop_a_backup(machine: Machine, disk: SmallDisk) -> None:
    disk.rotate()
    source = TREE.make(disk.folder / "data")
    turns = turns_at(source, "read", 1)
    assert turns is not None
    with turns.turn():
        machine.succeed("backup", source, *machine.devices("a b c"), *STEPS)
    bring_back(machine, "out")
    assert differences(source, machine.folder / "out" / "data") == []
