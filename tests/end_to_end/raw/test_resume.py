"""A backup of a raw volume that is killed goes on, stores nothing twice, and joins nothing that has changed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kit.disks.raw_volumes import loop_device
from kit.program.command import Row
from kit.program.machine import Machine

MIB = 1024 * 1024

STEPS = ("--mode", "raw", "--segment-size", "4MiB")


@pytest.fixture
def image(machine: Machine) -> Path:
    made = machine.folder / "disk.img"
    made.write_bytes(os.urandom(64 * MIB))
    return made


def kill_in_the_middle(machine: Machine, raw_volume: Path) -> list[Path]:
    """Kill a backup when some segments are stored, and their receipts recorded; returns those that are stored."""
    # Each takes a device 4 s: no more than one receipt of each is not recorded yet.
    machine.limit("a b", "1MiB")
    running = machine.start("backup", raw_volume, *machine.devices("a b"), *STEPS, "--json")
    running.wait_for_row(lambda row: stored_count(row) >= 3, "three segments are stored")
    running.signal(signal.SIGKILL)
    running.wait()
    machine.wait_until_quiet()
    machine.limit("a b", None)
    return machine.segments_on()


def stored_count(row: Row) -> int:
    return sum(device["segments_done"] for device in row["devices"].values()) if row.get("phase") == "storing" else 0


def go_on(machine: Machine, raw_volume: Path) -> None:
    machine.succeed("backup", raw_volume, *machine.devices("a b"), *STEPS)


def test_an_image_goes_on_where_it_was(machine: Machine, image: Path) -> None:
    stored = {path: path.stat().st_mtime_ns for path in kill_in_the_middle(machine, image)}
    go_on(machine, image)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in stored.items())
    assert len(machine.segments_on()) == 16
    assert machine.succeed("dump", "latest").stdout == image.read_bytes()


def test_a_block_device_is_compared_with_what_was_stored(machine: Machine, image: Path) -> None:
    with loop_device(image) as raw_volume:
        kill_in_the_middle(machine, raw_volume)
        with open(image, "r+b") as file:
            file.write(b"changed meanwhile")
            file.flush()
            os.fsync(file.fileno())
        go_on(machine, raw_volume)
        assert machine.succeed("dump", "latest").stdout == image.read_bytes()
    # The one cell that changed is stored again, and what each device had in hand: no receipt told of its cells.
    assert len(machine.segments_on()) <= 16 + 1 + 2
