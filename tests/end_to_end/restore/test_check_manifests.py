"""``check`` looks at the manifests of all devices, whether they hold segments of the snapshot or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.program.command import Done
from kit.program.machine import Machine
from kit.tree import Tree

#: No segment, and one.
NO_DATA = Tree({"empty": b"", "folder/too": b""})
ONE_SEGMENT = Tree({"file": b"content"})


def manifests_on(machine: Machine, name: str, pattern: str = "*") -> list[Path]:
    found = sorted(machine.device(name).glob(f"manifests/{pattern}"))
    assert found
    return found


def overwrite(path: Path) -> None:
    path.write_bytes(b"junk")


def devices_named(done: Done) -> set[str]:
    assert {error["code"] for error in done.errors} <= {"manifest"}, done
    return {name for name in "abc" for error in done.errors if f"device {name}" in error["message"]}


def test_without_any_segment_every_manifest_is_looked_at(machine: Machine) -> None:
    machine.succeed("backup", NO_DATA.make(machine.folder / "data"), *machine.devices("a b"))
    assert machine.succeed("check", "--json").errors == []
    for path in manifests_on(machine, "a", "*.part"):
        path.unlink()
    for path in manifests_on(machine, "b"):
        overwrite(path)

    done = machine.run("check", "--read-data", "--json")

    assert (done.exit_code, devices_named(done)) == (3, {"a", "b"})


@pytest.mark.parametrize("pattern", ["*.manifest", "*.part"])
def test_a_damaged_manifest_is_found_on_a_device_without_segments(machine: Machine, pattern: str) -> None:
    machine.succeed("backup", ONE_SEGMENT.make(machine.folder / "data"), *machine.devices("a b"))
    (without,) = [name for name in "ab" if not machine.segments_on(name)]
    for path in manifests_on(machine, without, pattern):
        overwrite(path)

    done = machine.run("check", "--json")

    assert (done.exit_code, devices_named(done)) == (3, {without})


@pytest.mark.parametrize("damage", [overwrite, Path.unlink])
def test_a_snapshot_whose_head_is_nowhere_is_an_error(machine: Machine, damage: Callable[[Path], None]) -> None:
    machine.succeed("backup", NO_DATA.make(machine.folder / "data"), *machine.devices("a b"))
    manifests_on(machine, "a", "*.manifest")[0].unlink()
    damage(manifests_on(machine, "b", "*.manifest")[0])

    done = machine.run("check", "--json")

    assert (done.exit_code, devices_named(done)) == (3, {"a", "b"})


def test_a_device_that_lacks_the_manifest_of_another_one_is_no_error(machine: Machine) -> None:
    """``c`` joins the pool with the second snapshot, and need not have the manifest of the first."""
    source = ONE_SEGMENT.make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a b"))
    (first,) = manifests_on(machine, "b", "*.manifest")
    machine.succeed("backup", source, *machine.devices("a b c"))
    first.unlink()

    done = machine.succeed("check", "--json")

    assert done.errors == []
    assert f"device b has no manifest file {first.name}; it is on a" in done.stderr
    assert "device c" not in done.stderr


def test_a_snapshot_of_whose_pool_no_device_is_there_is_not_called_sound(machine: Machine) -> None:
    source = NO_DATA.make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a"))
    machine.succeed("backup", source, *machine.devices("b"))

    done = machine.run("check", *machine.devices("b"), "--json")

    assert (done.exit_code, [error["code"] for error in done.errors]) == (3, ["device-absent"])


def test_after_a_lost_state_folder_every_command_says_that_the_devices_hold_more(machine: Machine) -> None:
    devices = machine.devices("a b")
    machine.succeed("backup", ONE_SEGMENT.make(machine.folder / "data"), *devices)
    shutil.move(machine.state, machine.folder / "lost")
    told = f"1 snapshot on these devices is not in this catalog ({machine.catalog})"

    checked = machine.run("check", *devices, "--json")
    asked = machine.run("devices", *devices)
    restored = machine.run("restore", "latest", "--target", "out", *devices)

    assert [error["code"] for error in checked.errors] == ["unknown-snapshots"]
    assert told in checked.errors[0]["message"]
    assert (told in asked.stderr, told in restored.stderr) == (True, True)
    assert [done.exit_code for done in (checked, asked, restored)] == [3, 0, 2]
    assert str(machine.catalog) in machine.succeed("snapshots").stderr
