"""Restoring to a disk that takes long for what it is given."""

from __future__ import annotations

import os
from pathlib import Path

from kit.program.machine import Machine
from kit.tree import Tree, noise

#: Longer than a manager has patience with SEGFLEET_STALL_S=1: for that, and for 64 MiB at 10 MB/s.
SLOW_FSYNC = """
import os, time

def fsync(fd):
    if os.readlink(f"/proc/self/fd/{fd}").endswith("/out.img"):
        time.sleep(12)
    really_fsync(fd)

really_fsync, os.fsync = os.fsync, fsync
"""


def with_slow_fsync(folder: Path) -> str:
    """$PYTHONPATH of a Python in which the image's fsync takes its time."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SLOW_FSYNC)
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


def test_an_image_whose_last_sync_takes_long_is_restored_by_the_worker_that_began(machine: Machine) -> None:
    source = Tree({"disk.img": noise(3_000_000)}).make(machine.folder / "data") / "disk.img"
    machine.succeed("backup", "--mode=raw", source, *machine.devices("a"))

    slow = with_slow_fsync(machine.folder / "slow")
    done = machine.succeed("restore", "latest", "--target", "out.img", PYTHONPATH=slow, SEGFLEET_STALL_S="1")

    assert "replaced" not in done.stderr
    assert (machine.folder / "out.img").read_bytes() == source.read_bytes()
