"""A device is what its marker says, wherever it is and whatever it is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kit.compare import differences
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.tree import Tree, noise

SMALL_PARTS = ("--segment-size=64KiB", "--unit-size=64KiB")


@pytest.fixture
def source(machine: Machine) -> Path:
    return Tree({f"file-{number}": noise(70_000, number) for number in range(8)}).make(machine.folder / "data")


def test_a_copy_of_a_device_is_refused_beside_it_and_accepted_in_its_place(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a"), *SMALL_PARTS)
    shutil.copytree(machine.device("a"), machine.device("b"))

    refused = machine.run("backup", source, *machine.devices("a b"), *SMALL_PARTS)
    assert refused.exit_code == 2
    assert f"a ({machine.device('a')}) and b ({machine.device('b')}) are the same device" in refused.stderr
    assert "name only one of them" in refused.stderr

    shutil.rmtree(machine.device("a"))
    machine.succeed("backup", source, f"--device=a={machine.device('b')}", *SMALL_PARTS)
    assert differences(source, bring_back(machine, "out") / "data") == []


def test_two_devices_that_answer_with_an_error_are_left_out_each_with_its_own(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a b c"), *SMALL_PARTS)
    for name in "ab":
        shutil.rmtree(machine.device(name))
        # Opening it fails with ELOOP: no folder that could be measured.
        machine.device(name).symlink_to(machine.device(name))

    done = machine.run("backup", source, *(f"--device={name}={machine.device(name)}" for name in "abc"), "--json")

    assert "same folder" not in done.stderr
    told = [row["message"] for row in done.errors]
    for name in "ab":
        assert any(message.startswith(f"device {name} is absent: {machine.device(name)}") for message in told), done
    assert done.rows_of("summary")
    assert done.summary["devices"]["c"]["state"] == "live"


def test_a_new_disk_under_a_new_name_in_an_old_place_leaves_the_snapshots_readable(
    machine: Machine, source: Path
) -> None:
    machine.succeed("backup", source, *machine.devices("a b"), *SMALL_PARTS)
    old = machine.folder / "old-disk"
    shutil.move(machine.device("b"), old)
    machine.device("b").mkdir()
    now = (*machine.devices("a"), f"--device=c={machine.device('b')}", "--force")
    machine.succeed("backup", source, *now, *SMALL_PARTS)

    assert differences(source, bring_back(machine, "out") / "data") == []
    assert machine.run("devices", "--json").exit_code == 0
    assert machine.succeed("dump", "latest", "data/file-1").stdout == (source / "file-1").read_bytes()


def test_a_check_without_arguments_checks_the_snapshots_of_all_pools(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a"), "--volume=one")
    # Another pool, whose device bears the same name.
    machine.succeed("backup", source, f"--device=a={Tree({}).make(machine.folder / 'other')}", "--volume=two")

    done = machine.succeed("check", "--json")

    assert done.summary["snapshots"] == 2
    assert done.errors == []


@pytest.mark.parametrize("name", [b"caf\xe9\nnew line"])
def test_arguments_of_any_bytes_can_be_backed_up_restored_and_dumped(machine: Machine, name: bytes) -> None:
    odd = os.fsdecode(name)
    source = Tree({odd: b"kept"}).make(machine.folder / odd)
    machine.succeed("backup", source, *machine.devices("a"), "--tag", odd)
    machine.succeed("restore", "latest", "--target", machine.folder / f"out-{odd}", "-i", odd)
    assert differences(source, machine.folder / f"out-{odd}" / odd) == []
    assert machine.succeed("dump", "latest", f"{odd}/{odd}").stdout == b"kept"
    assert (
        machine.run("restore", "latest", "--target", machine.folder / f"out-{odd}", "--overwrite=never").exit_code == 0
    )


def states(machine: Machine, command: str = "devices") -> list[tuple[str, str]]:
    rows = machine.succeed(command, "--json").rows_of("device")
    return sorted((row["name"], row["state"]) for row in rows)


def test_a_new_disk_takes_the_name_of_an_old_one_by_a_word_and_not_by_itself(machine: Machine, source: Path) -> None:
    devices = machine.devices("a b")
    machine.succeed("backup", source, *devices, *SMALL_PARTS)
    old = machine.folder / "old-disk"
    shutil.move(machine.device("b"), old)
    machine.device("b").mkdir()

    absent = machine.succeed("backup", source, *devices, "--volume=next", *SMALL_PARTS, "--json")
    assert f"segfleet devices replace b={machine.device('b')}" in absent.errors[0]["message"]
    assert list(machine.device("b").iterdir()) == []

    replaced = machine.succeed("devices", "replace", f"b={machine.device('b')}", "--json").rows_of("device")
    assert [row["state"] for row in replaced] == ["lost", "live"]
    assert states(machine) == states(machine, "status") == [("a", "live"), ("b", "live")]
    first = machine.succeed("snapshots", "--json").rows[0]
    assert [(lack["device"], lack["lost"]) for lack in first["incomplete"]] == [("b", True)]
    assert b"incomplete (device b, lost)" in machine.succeed("snapshots").stdout
    again = machine.succeed("backup", source, *devices, "--volume=next", *SMALL_PARTS, "--json")
    assert {device["state"] for device in again.summary["devices"].values()} == {"live"}
    assert again.errors == []

    # Anyone who has the old disk still has its files: its marker says what it is.
    beside = (*machine.devices("a b"), f"--device=old={old}")
    assert machine.run("backup", source, f"--device=b={old}", *machine.devices("a")).exit_code == 10
    machine.succeed("restore", first["snapshot_id"][:8], "--target", "out", *beside)
    assert differences(source, machine.folder / "out" / "data") == []


def test_a_device_that_moved_is_found_where_its_operator_says_if_its_marker_is_there(
    machine: Machine, source: Path
) -> None:
    machine.succeed("backup", source, *machine.devices("a b"), *SMALL_PARTS)
    new = machine.folder / "new"
    shutil.move(machine.device("b"), new)

    elsewhere = machine.run("devices", "move", f"b={machine.device('a')}")
    assert elsewhere.exit_code == 10
    assert "holds device a" in elsewhere.stderr
    assert machine.run("devices", "move", f"x={new}").exit_code == 2
    machine.succeed("devices", "move", f"b={new}")

    assert states(machine) == [("a", "live"), ("b", "live")]
    machine.succeed("restore", "latest", "--target", "out")
    assert differences(source, machine.folder / "out" / "data") == []


def test_a_device_that_is_lost_is_looked_for_no_more_and_used_again_when_it_is_there(
    machine: Machine, source: Path
) -> None:
    devices = machine.devices("a b")
    machine.succeed("backup", source, *devices, *SMALL_PARTS)

    said = machine.succeed("devices", "lost", "b")
    assert b"is lost; 1 snapshot lacks what it held" in said.stdout
    assert machine.run("devices", "lost", "x").exit_code == 2
    assert states(machine) == states(machine, "status") == [("a", "live"), ("b", "lost")]
    assert machine.run("restore", "latest", "--target", "part").exit_code == 3

    back = machine.succeed("backup", source, *devices, *SMALL_PARTS)
    assert "device b, which was lost, is back" in back.stderr
    assert states(machine) == [("a", "live"), ("b", "live")]
    assert [row["incomplete"] for row in machine.succeed("snapshots", "--json").rows] == [[], []]
