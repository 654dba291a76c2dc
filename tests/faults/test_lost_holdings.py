"""Exit code 0: every file can be restored, at the seal, from the devices that are there.  Else 3, and a list."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.disks.small_disk import SmallDisk, small_disk
from kit.program.command import Done, Row
from kit.program.halting.halt import Halt
from kit.program.machine import Machine
from kit.program.scene import Scene

MIB = 1024 * 1024

#: A lost device is not asked again but before the seal.
FOR_GOOD = {"SEGFLEET_REJOIN_S": "600"}


@pytest.fixture
def halt(machine: Machine) -> Halt:
    return Halt(machine.folder / "halt")


def take_away(scene: Scene, name: str) -> None:
    scene.folder(name).rename(scene.machine.folder / f"{name} is away")


def bring_back(scene: Scene, name: str) -> None:
    (scene.machine.folder / f"{name} is away").rename(scene.folder(name))


def restore_from(scene: Scene, names: str, target: str) -> Done:
    flags = [f"--device={name}={scene.folder(name)}" for name in names.split()]
    return scene.machine.run("restore", "latest", "--target", target, *flags, "--json")


def prove_whole(scene: Scene, done: Done, names: str) -> None:
    """Every file comes back from these devices alone."""
    assert done.exit_code == 0, done
    assert done.summary["incomplete"] == []
    scene.restore_and_compare(names)


def incomplete_now(scene: Scene) -> list[Row]:
    """What `snapshots` and `status` both say of the newest snapshot."""
    (*_, snapshot) = scene.machine.succeed("snapshots", "--json").rows_of("snapshot")
    (volume,) = scene.machine.succeed("status", "--json").rows_of("volume")
    assert volume["incomplete"] == snapshot["incomplete"]
    found: list[Row] = snapshot["incomplete"]
    return found


def test_what_a_device_stored_before_it_died_is_stored_again_on_the_others(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    running = scene.start(**FOR_GOOD)
    scene.wait_until_stored(running, 1, "a")
    take_away(scene, "a")
    done = scene.finish(running)

    assert [row["code"] for row in done.errors] == ["device-dead"]
    assert done.summary["devices"]["a"]["segments"] == 0
    prove_whole(scene, done, "b c")


def test_copies_that_a_device_had_before_it_died_are_made_elsewhere_in_the_same_backup(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    running = scene.start("--copies=2", **FOR_GOOD)
    scene.wait_until_stored(running, 1, "a")
    take_away(scene, "a")
    done = scene.finish(running)

    assert [row["code"] for row in done.errors] == ["device-dead"]
    assert done.summary["copies_missing"] == 0
    prove_whole(scene, done, "b")
    prove_whole(scene, done, "c")


def test_a_device_that_goes_after_its_last_receipt_is_missed_before_the_seal(machine: Machine, halt: Halt) -> None:
    scene = Scene(machine, rate="100MiB")
    running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
    halt.wait()
    take_away(scene, "b")
    halt.release()
    done = running.wait()

    assert done.summary["devices"]["b"] == {
        "segments": 0,
        "bytes_source": 0,
        "bytes_stored": 0,
        "bytes_copied": 0,
        "state": "dead",
        "new": True,
    }
    prove_whole(scene, done, "a c")


def test_an_unmounted_device_is_missed_before_the_seal(machine: Machine, halt: Halt) -> None:
    with small_disk(machine.folder / "disk") as disk:
        scene = Scene(machine, rate="100MiB", folders={"a": disk.folder})
        running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
        halt.wait()
        disk.unmount()
        halt.release()
        done = running.wait()
        prove_whole(scene, done, "b c")
        assert list(disk.folder.iterdir()) == []
        machine.end()


def test_what_an_earlier_backup_stored_on_a_device_that_goes_before_the_seal_is_named(
    machine: Machine, halt: Halt
) -> None:
    scene = Scene(machine, rate="100MiB")
    machine.succeed(*scene.command())
    (scene.source / "new").write_bytes(b"new")
    running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
    halt.wait()
    take_away(scene, "a")
    halt.release()
    done = running.wait()

    assert done.exit_code == 3, done
    named = {row["path"] for row in done.errors if row["code"] == "incomplete" and row["path"]}
    assert [(lack["device"], lack["files"]) for lack in incomplete_now(scene)] == [("a", len(named))]
    assert restore_from(scene, "b c", "part").exit_code == 3
    prove_only_named_lack(scene, machine.folder / "part" / "data", named)
    bring_back(scene, "a")
    machine.succeed("devices", "--json")
    assert incomplete_now(scene) == []


def test_what_a_device_holds_counts_again_when_it_is_back_before_the_seal(machine: Machine, halt: Halt) -> None:
    scene = Scene(machine, rate="256KiB")
    running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
    scene.wait_until_stored(running, 1, "a")
    take_away(scene, "a")
    eventually(lambda: "device a is dead" in str(running.rows), "device a is found dead")
    halt.wait()
    bring_back(scene, "a")
    halt.release()
    done = running.wait()

    assert "stored again" not in done.stderr, done
    assert done.summary["devices"]["a"]["segments"] > 0
    assert done.summary["devices"]["a"]["state"] == "live"
    scene.prove(done)


def test_what_an_interrupted_run_stored_on_a_device_that_is_absent_now_is_stored_again(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    running = scene.start()
    scene.wait_until_stored(running, 1, "a")
    running.signal(signal.SIGINT)
    scene.brake.release()
    assert running.wait().exit_code == 130
    take_away(scene, "a")
    scene.limit(None)
    done = machine.run(*scene.command())

    assert "continuing snapshot" in done.stderr
    prove_whole(scene, done, "b c")


@pytest.fixture
def little_room(machine: Machine) -> Iterator[SmallDisk]:
    """Device b, with room for its share and little more."""
    with small_disk(machine.folder / "disk") as disk:
        yield disk
        machine.end()


def test_what_fits_nowhere_is_named_until_its_device_is_back(
    machine: Machine, halt: Halt, little_room: SmallDisk
) -> None:
    scene = Scene(machine, "a b", rate="100MiB", folders={"b": little_room.folder})
    running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
    halt.wait()
    little_room.fill(leave_bytes=MIB)
    take_away(scene, "a")
    halt.release()
    done = running.wait()

    assert done.exit_code == 3, done
    (lack,) = done.summary["incomplete"]
    named = {row["path"] for row in done.errors if row["code"] == "incomplete" and row["path"]}
    assert (lack["device"], lack["files"]) == ("a", len(named))
    assert 0 < lack["bytes"] < done.summary["bytes_source"]
    assert done.summary["errors"] == len(named)
    assert incomplete_now(scene) == [lack]
    assert b"incomplete (device a)" in machine.succeed("snapshots").stdout
    assert b"incomplete (device a)" in machine.succeed("status").stdout
    (head,) = (json.loads(path.read_text()) for path in little_room.folder.rglob("*.manifest"))
    assert [(row["files_count"], row["bytes_source"]) for row in head["incomplete"]] == [(len(named), lack["bytes"])]

    assert restore_from(scene, "b", "part").exit_code == 3
    prove_only_named_lack(scene, machine.folder / "part" / "data", named)

    bring_back(scene, "a")
    machine.succeed("devices", "--json")
    assert incomplete_now(scene) == []
    scene.restore_and_compare()


def prove_only_named_lack(scene: Scene, out: Path, named: set[str]) -> None:
    """Every file is restored as it is, or is one of those that the backup named."""
    for path in scene.source.rglob("*"):
        if path.is_file():
            restored = out / path.relative_to(scene.source)
            is_back = restored.is_file() and restored.read_bytes() == path.read_bytes()
            assert is_back != (str(path) in named), path


def test_a_device_that_dies_with_work_that_fits_nowhere_leaves_a_snapshot_that_names_it(
    machine: Machine, little_room: SmallDisk
) -> None:
    scene = Scene(machine, "a b", rate="256KiB", folders={"b": little_room.folder})
    running = scene.start(**FOR_GOOD)
    scene.wait_until_stored(running, 1, "a")
    scene.wait_until_stored(running, 1, "b")
    little_room.fill(leave_bytes=4 * MIB)
    take_away(scene, "a")
    done = scene.finish(running)

    assert done.exit_code == 3, done
    (lack,) = done.summary["incomplete"]
    named = {row["path"] for row in done.errors if row["code"] == "incomplete" and row["path"]}
    assert (lack["device"], lack["files"], done.summary["errors"]) == ("a", len(named), len(named))
    assert restore_from(scene, "b", "part").exit_code == 3
    prove_only_named_lack(scene, machine.folder / "part" / "data", named)

    bring_back(scene, "a")
    check = machine.run("check", "--json")
    assert (check.exit_code, {row["code"] for row in check.errors}) == (3, {"incomplete"})
    (left,) = incomplete_now(scene)
    restored = restore_from(scene, "a b", "all")
    assert restored.exit_code == 3
    still_named = {str(scene.source.parent / row["path"]) for row in restored.errors}
    assert still_named <= named and left["files"] == len(still_named) > 0
    prove_only_named_lack(scene, machine.folder / "all" / "data", still_named)


def test_the_mark_goes_with_the_next_backup_that_meets_the_device_again(
    machine: Machine, halt: Halt, little_room: SmallDisk
) -> None:
    scene = Scene(machine, "a b", rate="100MiB", folders={"b": little_room.folder})
    running = machine.start(*scene.command(), **FOR_GOOD, **halt.settings)
    halt.wait()
    little_room.fill(leave_bytes=MIB)
    take_away(scene, "a")
    halt.release()
    assert running.wait().exit_code == 3
    bring_back(scene, "a")
    little_room.make_room()
    again = scene.go_on()

    assert again.summary["incomplete"] == []
    rows = machine.succeed("snapshots", "--json").rows_of("snapshot")
    assert [row["incomplete"] for row in rows] == [[], []]
