"""Devices of different speed are busy to the end; the time is compared with that of a perfect division."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.needs import need_free_space
from kit.program.command import Running
from kit.program.machine import Machine
from kit.program.processes import kill, worker
from kit.program.scene import MIB, Scene
from kit.tree import noise

MB = 1_000_000
RATES_BYTES_PER_S = {"a": 10 * MB, "b": 20 * MB, "c": 40 * MB}

#: Two minutes for all three together.
SIZE_BYTES = 120 * sum(RATES_BYTES_PER_S.values())

#: A segment takes the slowest device 3 s.
STEPS = ("--segment-size=32MiB", "--unit-size=1MiB", "--level=-7", "--threads=1")


@pytest.fixture
def scene(machine: Machine) -> Scene:
    need_free_space(machine.folder, 3 * SIZE_BYTES)
    made = Scene(machine, entries={"small": b"1"})
    made.limit(None, **{name: f"{rate // 1024}KiB" for name, rate in RATES_BYTES_PER_S.items()})
    write_noise(made.source / "large", SIZE_BYTES)
    return made


def write_noise(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        for _ in range(size_bytes // (4 * MB)):
            file.write(os.urandom(4 * MB))


def bytes_done(running: Running) -> int:
    return max((row["bytes_done"] for row in running.rows if row.get("phase") == "storing"), default=0)


def test_a_slow_device_gives_up_what_it_has_not_begun(machine: Machine) -> None:
    scene = Scene(machine, "a b", entries={"large": noise(6 * MIB)})
    scene.limit("4MiB", a="128KiB")

    done = scene.start().wait()

    # By size each had a half; a takes 5 s for one of its five segments.
    stored = {name: row["bytes_source"] for name, row in done.summary["devices"].items()}
    assert stored["b"] > 2 * stored["a"] > 0
    scene.prove(done)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_devices_of_10_20_and_40_mb_per_s_end_within_5_percent_of_the_optimum(scene: Scene) -> None:
    done = scene.start(*STEPS).wait(deadline_s=600)

    assert done.exit_code == 0, done
    duration_s = done.summary["duration_s"]
    optimum_s = SIZE_BYTES / sum(RATES_BYTES_PER_S.values())
    print(f"{duration_s:.1f} s, the optimum is {optimum_s:.1f} s: {duration_s / optimum_s - 1:+.1%}")
    assert duration_s < optimum_s * 1.05, done.summary


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_when_the_fastest_dies_half_way_the_others_end_within_10_percent_of_the_optimum(scene: Scene) -> None:
    started_s = time.monotonic()
    running = scene.start(*STEPS, SEGFLEET_REJOIN_S="3600")
    eventually(lambda: bytes_done(running) >= SIZE_BYTES / 2, "half is stored", deadline_s=300)
    left_bytes = SIZE_BYTES - bytes_done(running)
    died_s = time.monotonic() - started_s
    kill(worker(running, "c"))
    done = running.wait(deadline_s=900)
    duration_s = time.monotonic() - started_s

    assert done.exit_code == 0, done
    optimum_s = died_s + left_bytes / (RATES_BYTES_PER_S["a"] + RATES_BYTES_PER_S["b"])
    print(f"{duration_s:.1f} s, the optimum is {optimum_s:.1f} s: {duration_s / optimum_s - 1:+.1%}")
    assert duration_s < optimum_s * 1.10, done.summary
