"""A backup of a raw volume or a large file that is killed goes on, stores nothing twice, and joins nothing changed."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest

from kit.disks.raw_volumes import loop_device
from kit.program.command import Row
from kit.program.machine import Machine

MIB = 1024 * 1024

RAW = ("--mode", "raw")

STEPS = ("--segment-size", "4MiB")


@pytest.fixture
def image(machine: Machine) -> Path:
    made = machine.folder / "disk.img"
    made.write_bytes(os.urandom(64 * MIB))
    return made


def kill_in_the_middle(machine: Machine, source: Path, *mode: str) -> list[Path]:
    """Kill a backup when some segments are stored, and their receipts recorded; returns those that are stored."""
    # Each takes a device 4 s: no more than one receipt of each is not recorded yet.
    machine.limit("a b", "1MiB")
    running = machine.start("backup", source, *machine.devices("a b"), *STEPS, *mode, "--json")
    running.wait_for_row(lambda row: stored_count(row) >= 3, "three segments are stored")
    running.signal(signal.SIGKILL)
    running.wait()
    machine.wait_until_quiet()
    machine.limit("a b", None)
    return machine.segments_on()


def stored_count(row: Row) -> int:
    return sum(device["segments_done"] for device in row["devices"].values()) if row.get("phase") == "storing" else 0


def go_on(machine: Machine, source: Path, *mode: str) -> None:
    machine.succeed("backup", source, *machine.devices("a b"), *STEPS, *mode)


def test_an_image_goes_on_where_it_was(machine: Machine, image: Path) -> None:
    stored = {path: path.stat().st_mtime_ns for path in kill_in_the_middle(machine, image, *RAW)}
    go_on(machine, image, *RAW)
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in stored.items())
    assert len(machine.segments_on()) == 16
    assert machine.succeed("dump", "latest").stdout == image.read_bytes()


@pytest.mark.parametrize("kind", ["block device", "file"])
def test_what_has_changed_meanwhile_is_compared_with_what_was_stored(machine: Machine, image: Path, kind: str) -> None:
    mode = RAW if kind == "block device" else ()
    with loop_device(image) if mode else nullcontext(image) as source:
        kill_in_the_middle(machine, source, *mode)
        with open(image, "r+b") as file:
            file.write(b"changed meanwhile")
            file.flush()
            os.fsync(file.fileno())
        go_on(machine, source, *mode)
        assert machine.succeed("dump", "latest").stdout == image.read_bytes()
    # The one cell that changed is stored again, and what each device had in hand: no receipt told of its cells.
    assert len(machine.segments_on()) <= 16 + 1 + 2
