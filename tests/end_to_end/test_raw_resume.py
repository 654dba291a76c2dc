"""A backup of a raw volume that is killed goes on, stores nothing twice, and joins nothing that has changed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.machine import Machine
from kit.volumes import loop_device

MIB = 1024 * 1024


@pytest.fixture
def image(machine: Machine) -> Path:
    made = machine.folder / "disk.img"
    made.write_bytes(os.urandom(64 * MIB))
    return made


def kill_in_the_middle(machine: Machine, volume: Path) -> list[Path]:
    """Kill a backup when some segments are stored; returns those."""
    slow = ["--mode", "raw", "--segment-size", "4MiB", "--level", "19", "--threads", "1"]
    running = machine.start("backup", volume, *machine.devices("a b"), *slow, "--json")
    running.wait_until_storing()
    eventually(lambda: len(machine.segments_on()) >= 3, "three segments are stored")
    running.signal(signal.SIGKILL)
    running.wait()
    machine.wait_until_quiet()
    return machine.segments_on()


def go_on(machine: Machine, volume: Path) -> None:
    same = ["--mode", "raw", "--segment-size", "4MiB", "--level", "19", "--threads", "1"]
    machine.succeed("backup", volume, *machine.devices("a b"), *same)


def test_an_image_goes_on_where_it_was(machine: Machine, image: Path) -> None:
    stored = {path: path.stat().st_mtime_ns for path in kill_in_the_middle(machine, image)}
    go_on(machine, image)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in stored.items())
    assert len(machine.segments_on()) == 16
    assert machine.succeed("dump", "latest").stdout == image.read_bytes()


def test_a_block_device_is_compared_with_what_was_stored(machine: Machine, image: Path) -> None:
    with loop_device(image) as volume:
        kill_in_the_middle(machine, volume)
        with open(image, "r+b") as file:
            file.write(b"changed meanwhile")
        os.sync()
        go_on(machine, volume)
        assert machine.succeed("dump", "latest").stdout == image.read_bytes()
    # The one cell that changed is stored again, and what each device had in hand: no receipt told of its cells.
    assert len(machine.segments_on()) <= 16 + 1 + 2
