"""Holes are neither read nor stored, and are holes again after a restore, to the block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.hole_map import data_in
from kit.program.machine import Machine
from kit.tree import SparseFile, Tree, noise

GIB = 2**30
BLOCK = 4096

#: Small ones share a bundle; one has data for several pieces.
FILES = Tree(
    {
        "data at the beginning": SparseFile(GIB, {0: b"begin"}),
        "data in the middle": SparseFile(20 * GIB, {10 * GIB: b"abc"}),
        "data at the end": SparseFile(GIB, {GIB - 3: b"end"}),
        "deep/only a hole": SparseFile(5 * GIB, {}),
        "deep/every other block": SparseFile(300 * BLOCK, {at * 2 * BLOCK: noise(BLOCK, seed=at) for at in range(150)}),
        "deep/written zeros between holes": SparseFile(GIB, {GIB // 2: bytes(200_000)}),
        "large": SparseFile(GIB, {GIB // 4: noise(400_000), GIB // 2: noise(500_000, seed=1)}),
        "no hole": b"x" * 100_000,
    }
)
#: Together more than the files' data, far less than their holes.
MOST_STORED_BYTES = 3_000_000

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


@pytest.fixture(scope="module")
def machine(shared_machine: Machine) -> Machine:
    """The shared machine, with the files of ``data`` on three devices."""
    source = FILES.make(shared_machine.folder / "data")
    with (source / "reserved").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 64 * BLOCK)
        file.truncate(GIB)
    backup = shared_machine.succeed("backup", source, *shared_machine.devices("a b c"), *SMALL, "--json").summary
    assert 1_500_000 < backup["bytes_source"] < MOST_STORED_BYTES
    return shared_machine


def files_in(root: Path) -> dict[str, tuple[int, list[tuple[int, bytes]]]]:
    """Path → size, and each range of data: where it begins, and what it holds."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                ranges = [(start, os.pread(file.fileno(), stop - start, start)) for start, stop in data_in(path)]
            found[str(path.relative_to(root))] = (path.stat().st_size, ranges)
    return found


def test_files_with_holes_come_back_to_the_block_and_only_their_data_is_stored(machine: Machine) -> None:
    stored_bytes = sum(segment.stat().st_size for segment in machine.segments_on())

    machine.succeed("restore", "latest", "--target", "out")

    assert stored_bytes < MOST_STORED_BYTES
    assert files_in(machine.folder / "out" / "data") == files_in(machine.folder / "data")


def test_over_existing_files_only_what_differs_is_written_with_its_holes(machine: Machine) -> None:
    restored = machine.folder / "over" / "data"
    machine.succeed("restore", "latest", "--target", "over")
    (restored / "data at the end").write_bytes(b"another file")
    with (restored / "large").open("r+b") as file:
        file.write(b"data where there was a hole")

    done = machine.succeed("restore", "latest", "--target", "over", "--overwrite=if-changed", "--json")

    assert files_in(restored) == files_in(machine.folder / "data")
    assert done.summary["skipped"] == len(files_in(restored)) - 2


def test_a_dump_has_zeros_in_the_holes(machine: Machine) -> None:
    path = machine.folder / "data" / "deep" / "every other block"

    assert machine.succeed("dump", "latest", "data/deep/every other block").stdout == path.read_bytes()


def test_pieces_that_fit_what_remains_on_each_device_hold_no_hole(machine: Machine) -> None:
    options = ("--volume=remaining", "--split=remaining", "--json")

    backup = machine.succeed("backup", machine.folder / "data", *machine.devices("a b c"), *SMALL, *options).summary
    machine.succeed("restore", backup["snapshot_id"], "--target", "remaining")

    assert backup["bytes_source"] < MOST_STORED_BYTES
    assert files_in(machine.folder / "remaining" / "data") == files_in(machine.folder / "data")
