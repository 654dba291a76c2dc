"""Restores that are hit in the middle: what is back is right, what is not is named, and one can go on."""

from __future__ import annotations

import signal

import pytest

from kit.compare import differences
from kit.program.command import Done, Running
from kit.program.machine import Machine
from kit.program.processes import broker_of_reader, kill, worker
from kit.program.scene import Scene
from kit.tree import noise

#: 2 MB on each of two devices, 10 s at the slow rate.
FILES = {f"{number:02}": noise(200_000, number) for number in range(20)}
SLOW = "200KiB"


@pytest.fixture
def scene(machine: Machine) -> Scene:
    """Two devices that hold a backup of FILES, each file in a segment of its own."""
    scene = Scene(machine, "a b", entries=FILES)
    scene.limit(None)
    machine.succeed(*scene.command("--bundle=off"))
    return scene


def start_restore(scene: Scene, rate: str | None = SLOW, **rates: str) -> Running:
    """Restore to ``out``; returns when the first bytes are back."""
    scene.limit(rate, **rates)
    running = scene.machine.start("restore", "latest", "--target", "out", "--json")
    running.wait_for_row(lambda row: row.get("bytes_done", 0) > 0, "the first bytes are back")
    return running


def restored(scene: Scene) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (scene.machine.folder / "out/data").iterdir()}


def named(done: Done) -> set[str]:
    """The files that are told as lost."""
    return {row["path"].removeprefix("data/") for row in done.errors if row["path"]}


def test_what_a_killed_worker_had_to_bring_back_is_named_and_all_else_is_there(scene: Scene) -> None:
    running = start_restore(scene, None, b=SLOW)

    kill(worker(running, "b"))
    done = running.wait()

    assert done.exit_code == 3
    assert {row["code"] for row in done.errors} == {"device-dead"}
    assert 0 < len(named(done)) < len(FILES)
    whole = {name: data for name, data in FILES.items() if name not in named(done)}
    assert {name: data for name, data in restored(scene).items() if name in whole} == whole
    scene.limit(None)
    scene.machine.succeed("restore", "latest", "--target", "out", "--overwrite", "if-changed")
    assert differences(scene.source, scene.machine.folder / "out/data") == []


def test_ctrl_c_ends_a_restore_in_order_and_says_how_to_go_on(scene: Scene) -> None:
    running = start_restore(scene)

    running.signal(signal.SIGINT)
    done = running.wait()

    assert done.exit_code == 130
    assert "--overwrite if-changed" in done.stderr
    assert "Traceback" not in done.stderr
    scene.machine.wait_until_quiet()
    scene.limit(None)
    again = scene.machine.succeed("restore", "latest", "--target", "out", "--overwrite", "if-changed", "--json")
    assert 0 < again.summary["files"] <= len(FILES)
    assert differences(scene.source, scene.machine.folder / "out/data") == []


def test_a_broker_emptied_in_the_middle_of_a_restore_loses_nothing(scene: Scene) -> None:
    running = start_restore(scene)

    with broker_of_reader(scene.machine) as client:
        client.flushall()
    done = running.wait()

    assert done.exit_code == 0, done
    assert done.errors == []
    assert differences(scene.source, scene.machine.folder / "out/data") == []
