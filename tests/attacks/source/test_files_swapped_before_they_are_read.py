"""What is read is what was walked: a file that somebody swapped in gets no other's owner, mode or trust."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import psutil
import pytest

from kit.needs import need_root
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import Tree, noise

#: It takes the device 11 s, unless the brake is released: time to change what comes after it.
FIRST = noise(6 * 2**20)
STEPS = ("--unit-size=64KiB", "--segment-size=2MiB", "--threads=1")
PROGRAM = b"#!/bin/sh\nexit 0\n"
EVIL = b"#!/bin/sh\nexit 1\n"


def attacked(machine: Machine, source: Path, change: Callable[[], None]) -> Done:
    """Back up; ``change`` the source after the walk, while the workers read something else."""
    devices = machine.devices("a")
    machine.limit("a", "512KiB")
    brake = Brake(machine.folder / "brake")
    running = machine.start("backup", source, *devices, *STEPS, "--json", **brake.settings)
    running.wait_until_storing()
    workers = [psutil.Process(pid) for pid in running.worker_pids().values()]
    workers += [child for worker in workers for child in worker.children(recursive=True)]
    for process in workers:
        process.send_signal(SIGSTOP)
    change()
    for process in workers:
        process.send_signal(SIGCONT)
    brake.release()
    done = running.wait()
    machine.limit("a", None)
    return done


def source_of(machine: Machine, program: bytes) -> tuple[Path, Path]:
    source = Tree({"first": FIRST, "bin/program": program, "bin/other": b"other"}).make(machine.folder / "data")
    (source / "bin/program").chmod(0o4755)
    return source, source / "bin/program"


def swapped(path: Path, content: bytes, mode: int) -> None:
    """Another file at ``path``, of the same size and time of writing, as far as its owner can make it so."""
    before = path.stat()
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("program", [PROGRAM, PROGRAM + noise(3 * 2**20)], ids=["in a bundle", "in pieces"])
@pytest.mark.parametrize("mode", [0o755, 0o4755], ids=["another mode", "the same mode"])
def test_a_program_swapped_in_for_one_that_runs_as_its_owner_loses_that(
    machine: Machine, program: bytes, mode: int
) -> None:
    source, path = source_of(machine, program)
    evil = EVIL + program[len(EVIL) :]
    done = attacked(machine, source, lambda: swapped(path, evil, mode))
    assert {(error["code"], error["path"]) for error in done.errors} == {("changed", str(path))}
    assert done.exit_code == 3
    machine.run("restore", "latest", "--target", machine.folder / "out")
    restored = machine.folder / "out/data/bin/program"
    assert restored.read_bytes() == evil
    assert stat.S_IMODE(restored.stat().st_mode) == 0o755
    assert stat.S_IMODE((machine.folder / "out/data/bin/other").stat().st_mode) != 0o755


def test_a_file_of_another_owner_swapped_in_is_recorded_as_changed(machine: Machine) -> None:
    need_root("give files away")
    source, path = source_of(machine, PROGRAM)
    path.chmod(0o644)

    def swap() -> None:
        swapped(path, EVIL, 0o644)
        os.chown(path, 65534, 65534)

    done = attacked(machine, source, swap)
    assert [(error["code"], error["path"]) for error in done.errors] == [("changed", str(path))]


def test_files_that_nobody_touched_keep_all_and_are_no_trouble(machine: Machine) -> None:
    source, _ = source_of(machine, PROGRAM)
    machine.succeed("backup", source, *machine.devices("a b"))
    machine.succeed("restore", "latest", "--target", machine.folder / "out")
    assert stat.S_IMODE((machine.folder / "out/data/bin/program").stat().st_mode) == 0o4755
