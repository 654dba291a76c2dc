"""A prune forms the small parity groups of nightly runs anew, on disks that are as good as full."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack

from kit.compare import differences
from kit.disks.small_disk import SmallDisk, small_disk
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise
from producer.catalog.catalog import Catalog

NAMES = "abcd"
NIGHTS_COUNT = 5


def devices(machine: Machine, names: str = NAMES) -> list[str]:
    return [f"--device={name}={machine.device(name)}" for name in names]


def back_up_nights(machine: Machine, disks: Sequence[SmallDisk]) -> None:
    """Each night brings five files, each a segment: four of them form two groups, the small one has one for itself.

    That one lies on the disk with the most room, another one each night.
    """
    source = Tree({}).make(machine.folder / "data")
    for night in range(NIGHTS_COUNT):
        for number in range(5):
            size = 99_000 if number == 4 else 100_000
            (source / f"{night}-{number}").write_bytes(noise(size, seed=5 * night + number))
        for number, disk in enumerate(disks) if night else ():
            disk.fill(leave_bytes=12_000_000 - night * 800_000 + (60_000 if number == night % len(disks) else 0))
        machine.succeed("backup", source, *devices(machine), "--parity=2", "--balance=free", "--bundle=off")


def rows_bytes(machine: Machine) -> list[int]:
    return [path.stat().st_size for name in NAMES for path in machine.device(name).rglob("*.par")]


def alone(machine: Machine) -> set[str]:
    """The devices of files that have a group for themselves: two of one device cannot share a group."""
    with Catalog(machine.state / "catalog.sqlite") as catalog:
        small = [group.members[0].segment_id for group in catalog.parity.groups() if len(group.members) == 1]
        return {one.device for objects in catalog.objects.of(small).values() for one in objects}


def restores_from(machine: Machine, names: str) -> bool:
    target = machine.folder / "back"
    shutil.rmtree(target, ignore_errors=True)
    bring_back(machine, target, " ".join(names))
    return differences(machine.folder / "data", target / "data") == []


def test_where_disks_have_room_for_one_row_each_groups_are_replaced_a_part_at_a_time() -> None:
    with new_machine() as made, ExitStack() as stack:
        disks = [stack.enter_context(small_disk(made.device(name))) for name in NAMES]
        back_up_nights(made, disks)
        before = rows_bytes(made)
        for disk in disks:
            room = os.statvfs(disk.folder)
            reserve_bytes = room.f_blocks * room.f_frsize // 10
            disk.fill(leave_bytes=reserve_bytes + max(before) * 3 // 2)

        pruned = made.succeed("prune", "--json")

        replaced = [row["message"] for row in pruned.rows if "groups were replaced" in row.get("message", "")]
        # Six new rows, in place of the ten of those files that have a group for themselves, never fit at once.
        assert (len(before), min(before) > 99_000) == (6 * NIGHTS_COUNT, True)
        assert not any("5 groups" in message for message in replaced), pruned.stderr
        # How many steps there are depends on which files meet in the first one, and where that leaves room.
        assert len(rows_bytes(made)) < len(before) if replaced else len(alone(made)) == 1
        read_all(made)
        assert restores_from(made, "ab")
        assert restores_from(made, "cd")
        made.end()
