"""A source that lacks what it had last time is told, or refused: its disk may not be mounted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.reservations import NEW_YEAR, make_due
from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Tree


@pytest.fixture
def backed_up() -> Iterator[Machine]:
    """``data`` has three files and ``other`` one; both are in the last snapshot of the volume."""
    with new_machine() as machine:
        Tree({"one": b"1", "folder/two": b"2", "empty": b""}).make(machine.folder / "data")
        Tree({"three": b"3"}).make(machine.folder / "other")
        assert backup(machine).summary["files_fewer"] == 0
        yield machine


def backup(machine: Machine, *options: str | Path) -> Done:
    sources = (machine.folder / "data", machine.folder / "other")
    return machine.run("backup", *sources, *options, "--volume=v", *machine.devices("a"), "--json")


def unmount(source: Path) -> None:
    shutil.rmtree(source)
    source.mkdir()


def test_a_source_that_is_suddenly_empty_is_refused_unless_that_is_meant(backed_up: Machine) -> None:
    data = backed_up.folder / "data"
    unmount(data)

    refused = backup(backed_up)
    listed = backed_up.succeed("snapshots", "--json").rows

    assert (refused.exit_code, [error["code"] for error in refused.errors]) == (1, ["empty-source"])
    assert "it has 3 files" in refused.errors[0]["message"]
    assert refused.errors[0]["path"] == str(data)
    assert len(listed) == 1
    assert backup(backed_up, "--allow-empty").summary["files_fewer"] == 3
    assert backup(backed_up).exit_code == 0


def test_files_that_are_fewer_than_last_time_are_told(backed_up: Machine) -> None:
    (backed_up.folder / "data" / "folder" / "two").unlink()

    done = backed_up.succeed(
        "backup", backed_up.folder / "data", backed_up.folder / "other", "--volume=v", *backed_up.devices("a")
    )

    assert b"1 file fewer than last time" in done.stdout


def test_a_scheduled_backup_is_refused_too(backed_up: Machine) -> None:
    data = backed_up.folder / "data"
    backed_up.succeed("schedule", "add", "v", data, *NEW_YEAR, *backed_up.devices("a"))
    make_due(backed_up.catalog)
    unmount(data)

    done = backed_up.run("schedule", "run-due", "--json")

    assert (done.exit_code, [error["code"] for error in done.errors]) == (1, ["empty-source"])


def test_nothing_is_backed_up_while_a_required_mount_is_missing(backed_up: Machine) -> None:
    refused = backup(backed_up, "--require-mount", backed_up.folder / "data")

    assert (refused.exit_code, [error["code"] for error in refused.errors]) == (1, ["not-mounted"])
    assert backup(backed_up, "--require-mount=/proc").exit_code == 0
