"""A repack through the command: with its workers killed, beside a restore, and on full devices."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count

import pytest

from kit.compare import differences
from kit.disks.small_disk import MIB, SmallDisk, small_disk
from kit.program.halting.halt_at import HaltAt
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.processes import kill, worker
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")


@pytest.fixture
def pool() -> Iterator[Machine]:
    """The snapshot that is kept needs a third of each object of the one before, which is forgotten."""
    with new_machine() as made:
        source = Tree({f"{number:02}": noise(20_000, seed=number) for number in range(36)}).make(made.folder / "data")
        old = made.succeed("backup", source, *made.devices("a b"), *SMALL, "--json").summary["snapshot_id"]
        for number in range(36):
            if number % 3:
                (source / f"{number:02}").write_bytes(noise(20_000, seed=number + 100))
        made.succeed("backup", source, *made.devices("a b"), *SMALL)
        made.succeed("forget", old)
        yield made


def restores(machine: Machine) -> bool:
    target = machine.folder / "back"
    shutil.rmtree(target, ignore_errors=True)
    bring_back(machine, target)
    return differences(machine.folder / "data", target / "data") == []


def test_a_worker_that_is_killed_while_it_repacks_leaves_all_whole(pool: Machine) -> None:
    halt = HaltAt(pool.folder / "halt", "workers.segments.repack:repack_object")
    prune = pool.start("prune", "--max-unused=0%", "--json", **halt.settings)
    halt.wait()
    for device in "ab":
        kill(worker(prune, device))

    assert prune.wait().exit_code in (1, 3)
    assert restores(pool)
    assert pool.succeed("prune", "--max-unused=0%", "--json").summary["bytes_unused"] == 0
    read_all(pool)


def test_what_a_restore_reads_is_neither_forgotten_nor_repacked_beside_it(pool: Machine) -> None:
    """The restore stands still once it knows what it reads from which object."""
    target = pool.folder / "out"
    halt = HaltAt(pool.folder / "halt", "producer.restore.restore_run:RestoreRun._restore_data")
    restore = pool.start("restore", "latest", "--target", target, **halt.settings)
    halt.wait()

    [read] = pool.succeed("snapshots", "--json").rows
    beside = pool.succeed("prune", "--max-unused=0%", "--json").summary
    forget = pool.run("forget", "latest", "--unsafe-allow-remove-all")
    halt.release()

    assert restore.wait().exit_code == 0
    assert differences(pool.folder / "data", target / "data") == []
    assert (beside["objects_written"], forget.exit_code) == (0, 11)
    assert f"snapshot {read['snapshot_id'][:8]} is in use by restore (pid {restore.pid} on " in forget.stderr
    assert pool.succeed("prune", "--max-unused=0%", "--json").summary["bytes_unused"] == 0


def test_devices_that_are_full_to_the_last_byte_are_freed_and_repacked() -> None:
    with new_machine() as made, small_disk(made.folder / "one") as one, small_disk(made.folder / "two") as two:
        devices = [f"--device=a={one.folder}", f"--device=b={two.folder}"]
        files = {f"{number:02}": noise(20_000, seed=number) for number in range(36)}
        source = Tree({**files, "old": noise(2 * MIB, seed=99)}).make(made.folder / "data")
        old = made.succeed("backup", source, *devices, *SMALL, "--json").summary["snapshot_id"]
        (source / "old").unlink()
        for number in range(36):
            if number % 3:
                (source / f"{number:02}").write_bytes(noise(20_000, seed=number + 100))
        made.succeed("backup", source, *devices, *SMALL)
        for disk in (one, two):
            fill_to_the_last_byte(disk)

        made.succeed("forget", old)
        informed = [path for disk in (one, two) for path in disk.folder.glob("manifests/*.forgotten")]
        pruned = made.succeed("prune", "--max-unused=0%", "--json").summary

        assert informed == []
        assert pruned["bytes_freed"] > 2 * MIB
        assert (pruned["bytes_unused"], pruned["objects_written"] > 0) == (0, True)
        assert restores(made)
        read_all(made)
        made.end()


def fill_to_the_last_byte(disk: SmallDisk) -> None:
    disk.fill(leave_bytes=0)
    with pytest.raises(OSError, match="No space left"), (disk.folder / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(65536))
            # What is not on the disk yet may turn out to take less.
            os.fsync(ballast.fileno())
    with pytest.raises(OSError, match="No space left"):
        for number in count():
            with (disk.folder / f"small{number}").open("wb", buffering=0) as small:
                small.write(b"x")
                os.fsync(small.fileno())
