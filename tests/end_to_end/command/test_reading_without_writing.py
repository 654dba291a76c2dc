"""A state folder that cannot be written, its disk read-only or full, keeps nobody from reading a backup."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.disks.small_disk import small_disk
from kit.needs import need_root
from kit.program.machine import Machine
from kit.tree import Tree

#: Leaves the catalog as a killed writer does: its last commits are in the write-ahead log.
_KILLED_WRITER = """
import os, signal, sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("UPDATE devices SET reason = 'from the log'")
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    need_root("mount a folder read-only")
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    ballast = os.open(folder / "ballast", os.O_CREAT | os.O_WRONLY)
    try:
        for size_bytes in (1024 * 1024, 1024):
            with pytest.raises(OSError, match="No space left"):
                while True:
                    os.write(ballast, bytes(size_bytes))
        yield
    finally:
        os.close(ballast)
        (folder / "ballast").unlink()


def kill_a_writer(machine: Machine) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED_WRITER, machine.catalog], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert machine.catalog.with_name("catalog.sqlite-wal").stat().st_size


def read_everything(machine: Machine) -> None:
    for arguments in (["ls", "latest"], ["find", "file"], ["history"], ["diff", "latest", "latest"]):
        machine.succeed(*arguments)
    assert len(machine.succeed("snapshots", "--json").rows) == 1
    status = machine.succeed("status", "--json").rows
    assert "from the log" in str(status)
    assert machine.succeed("dump", "latest", "data/file").stdout == b"kept"
    machine.succeed("check", "--read-data")
    machine.succeed("restore", "latest", "--target", machine.folder / "out")
    assert (machine.folder / "out/data/file").read_bytes() == b"kept"
    assert machine.succeed("devices", "--json").rows


def refuse_to_back_up(machine: Machine, source: Path, why: str) -> None:
    done = machine.run("backup", source, *machine.devices("a"))
    assert done.exit_code == 1, done
    assert f"{machine.catalog} cannot be written: {why}" in done.stderr
    assert "free some space, or make its folder writable" in done.stderr


def test_a_state_folder_that_is_read_only_can_be_read(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a"))
    kill_a_writer(machine)
    before = state_of(machine)
    with read_only(machine.state):
        read_everything(machine)
        refuse_to_back_up(machine, source, "Read-only file system")
    assert state_of(machine) == before


def test_a_state_folder_on_a_full_disk_can_be_read(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    with small_disk(machine.state):
        machine.state.chmod(0o700)
        machine.succeed("backup", source, *machine.devices("a"))
        kill_a_writer(machine)
        with full(machine.state):
            read_everything(machine)
            refuse_to_back_up(machine, source, "No space left on device")
        machine.succeed("backup", source, *machine.devices("a"))
        machine.wait_until_quiet()


def state_of(machine: Machine) -> dict[str, int]:
    """Name → size of the files in the state folder."""
    return {str(path): path.stat().st_size for path in sorted(machine.state.rglob("*")) if path.is_file()}
