"""Workers let other programs go first when they are told to."""

from __future__ import annotations

import os
from functools import partial

import psutil

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import Running
from kit.program.machine import Machine
from kit.program.processes import worker, worker_child
from kit.program.scene import Scene

NICE = min(19, os.nice(0) + 7)


def is_nice(pid: int) -> bool:
    return bool(psutil.Process(pid).nice() == NICE)


def assert_workers_become_nice(running: Running) -> None:
    eventually(lambda: running.worker_pids().keys() == {"a", "b"}, "the workers have been started")
    for pid in (worker(running, "a"), worker_child(running, "b")):
        eventually(partial(is_nice, pid), f"process {pid} is as nice as asked")


def test_the_workers_of_a_backup_and_of_a_restore_are_as_nice_as_asked(machine: Machine) -> None:
    scene = Scene(machine, "a b", rate="512KiB")
    backup = scene.start("--nice=7")
    assert_workers_become_nice(backup)
    assert scene.finish(backup).exit_code == 0

    restore = machine.start("restore", "latest", "--target=out", "--nice=7", "--json")
    assert_workers_become_nice(restore)
    assert restore.wait().exit_code == 0
    assert differences(scene.source, machine.folder / "out" / "data") == []
