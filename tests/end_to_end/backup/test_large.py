"""A tree of tens of thousands of files and a file of more than 4 GiB, to three devices and back.

Takes some minutes and 16 GB in the folder for temporary files; prints what it measured (``pytest -m slow -s``).
"""

from __future__ import annotations

import os
import random
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.compare import differences
from kit.program.command import Row
from kit.program.forking.forked import EXECUTED
from kit.program.machine import Machine
from kit.program.memory import peak_memory

#: The kernel's source as Debian's package linux-source-6.1 has it; other files are made up where it is not there.
KERNEL = Path(os.environ.get("SEGFLEET_KERNEL_SOURCE", "/usr/src/linux-source-6.1.tar.xz"))

FILES_COUNT = 50_000
LARGE_BYTES = 4 * 2**30 + 12_345


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_thousand_files_and_one_of_four_gib_come_back_the_same(machine: Machine) -> None:
    source = machine.folder / "data"
    make_files(source / "files")
    make_large_file(source / "large")

    with measured(machine, "plan"):
        plan = machine.start("plan", source, *machine.devices("a b c"), "--json").wait(deadline_s=1800).summary
    show_loads("planned", plan)
    with measured(machine, "backup"):
        backup = machine.start("backup", source, *machine.devices("a b c"), "--json").wait(deadline_s=1800).summary
    print(
        f"{backup['files']} files, {backup['bytes_source']} bytes in {backup['segments']} segments, "
        f"{backup['bytes_stored']} bytes stored, {backup['duration_s']:.1f} s; "
        f"{backup['segments_rerouted']} rerouted; threshold {backup['threshold_bytes']} bytes"
    )
    show_loads("stored", backup)
    with measured(machine, "check --read-data"):
        check = machine.start("check", "--read-data", "--json").wait(deadline_s=1800).summary
    with measured(machine, "restore"):
        restore = machine.start("restore", "latest", "--target", "out", "--json").wait(deadline_s=1800).summary
    print(f"restored {restore['files']} files, {restore['bytes_restored']} bytes in {restore['duration_s']:.1f} s")

    assert backup["files"] > FILES_COUNT
    assert [backup["exit_code"], check["exit_code"], restore["exit_code"]] == [0, 0, 0]
    assert differences(source, machine.folder / "out" / "data") == []


def make_files(folder: Path) -> None:
    if KERNEL.exists():
        with tarfile.open(KERNEL) as archive:
            archive.extractall(folder, filter="tar")
        return
    noise = random.Random(1)
    for number in range(FILES_COUNT + 1):
        path = folder / f"{number // 997:03}" / f"{number % 31:02}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.randbytes(number % 4001).hex().encode())


@pytest.fixture(autouse=True)
def commands_with_their_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EXECUTED.items():
        monkeypatch.setenv(name, value)


def make_large_file(path: Path) -> None:
    """Every other MiB compresses, none is like another."""
    noise, left_bytes = random.Random(2), LARGE_BYTES
    with path.open("wb") as file:
        while left_bytes:
            block = noise.randbytes(2**20) + noise.randbytes(2**10) * 2**10
            left_bytes -= file.write(block[:left_bytes])


@contextmanager
def measured(machine: Machine, what: str) -> Iterator[None]:
    started_s = time.monotonic()
    with peak_memory(machine) as peaks:
        yield
    print(f"\n{what}: {time.monotonic() - started_s:.1f} s; peak memory (PSS) of each process:")
    for role, size_bytes in sorted(peaks.items()):
        print(f"  {role:<16}{size_bytes / 2**20:8.1f} MiB")


def show_loads(what: str, summary: Row) -> None:
    loads = {name: device["bytes_source"] for name, device in summary["devices"].items()}
    apart_bytes = max(loads.values()) - min(loads.values())
    for name, device in summary["devices"].items():
        print(f"  device {name}: {what} {device['segments']} segments, {loads[name]} bytes of the source")
    share = apart_bytes / max(loads.values())
    print(f"  the loads {what} are {apart_bytes} bytes apart, {share:.4%} of the largest")
