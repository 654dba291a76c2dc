"""``--json``: what scripts read (DESIGN.md, section 6)."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import psutil
import pytest

from kit.program.command import Done
from kit.program.forking.forked import EXECUTED
from kit.program.machine import Machine
from kit.program.scene import Scene
from kit.tree import Tree, noise

BACKUP_FIELDS = {
    "message_type", "snapshot_id", "mode", "files", "bytes_source", "bytes_stored", "threshold_bytes", "segments",
    "segments_rerouted", "segments_retried", "devices", "errors", "duration_s",
}  # fmt: skip
DEVICE_FIELDS = {"segments", "bytes_source", "bytes_stored", "state"}


@pytest.fixture(scope="module")
def backed_up(shared_machine: Machine) -> Machine:
    source = Tree({"large": noise(900_000), "small": b"small", "folder/other": b"other"}).make(
        shared_machine.folder / "data"
    )
    shared_machine.succeed("backup", source, *shared_machine.devices("a b c"), "--segment-size=256KiB")
    return shared_machine


@pytest.fixture(scope="module")
def again(backed_up: Machine) -> tuple[Done, Mapping[Path, int]]:
    """A backup of all files once more, and the segments that it has stored, with their sizes."""
    before = backed_up.segments_on()
    source, devices = backed_up.folder / "data", backed_up.devices("a b c")
    done = backed_up.succeed("backup", source, *devices, "--segment-size=256KiB", "--force", "--json")
    return done, {path: path.stat().st_size for path in backed_up.segments_on() if path not in before}


def test_a_backup_prints_workers_then_its_phases_and_last_the_summary(again: tuple[Done, Mapping[Path, int]]) -> None:
    done, _ = again

    assert [kind for kind, _ in groupby(row["message_type"] for row in done.rows)] == ["worker", "status", "summary"]
    assert {row["device"] for row in done.rows_of("worker")} == {"a", "b", "c"}
    phases = [phase for phase, _ in groupby(row["phase"] for row in done.rows_of("status"))]
    assert phases == sorted(phases, key=["starting", "walking", "planning", "storing", "sealing"].index)
    assert "storing" in phases


def test_a_backups_summary_has_all_fields_and_they_add_up(again: tuple[Done, Mapping[Path, int]]) -> None:
    done, new = again
    summary = done.summary

    assert summary.keys() >= BACKUP_FIELDS
    assert summary["mode"] == "files"
    assert summary["files"] == 3
    assert summary["bytes_source"] == 900_000 + 5 + 5
    assert summary["bytes_stored"] == sum(new.values())
    assert summary["segments"] == len(new)
    assert summary["threshold_bytes"] >= 900_010 // 3
    assert [summary["segments_rerouted"], summary["segments_retried"], summary["errors"]] == [0, 0, 0]
    assert all(device.keys() >= DEVICE_FIELDS for device in summary["devices"].values())
    assert {device["state"] for device in summary["devices"].values()} == {"live"}
    for name in ("segments", "bytes_source", "bytes_stored"):
        assert sum(device[name] for device in summary["devices"].values()) == summary[name]


def test_worker_lines_name_the_main_processes_of_the_workers(machine: Machine) -> None:
    # Executed: what is forked has another command line.
    running = Scene(machine, rate="256KiB").start(**EXECUTED)

    for device, pid in running.worker_pids().items():
        worker = psutil.Process(pid)
        assert worker.ppid() == running.pid
        assert device in worker.cmdline()
    assert running.worker_pids().keys() == {"a", "b", "c"}
    running.signal(signal.SIGINT)
    assert running.wait().exit_code == 130


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (["snapshots"], {"snapshot_id", "volume", "mode", "started", "sealed", "files", "bytes_source"}),
        (["ls", "latest"], {"path", "kind", "mode", "uid", "gid", "mtime", "size_bytes", "link"}),
        (["find", "small"], {"snapshot_id", "path", "kind"}),
    ],
    ids=["snapshots", "ls", "find"],
)
def test_lists_print_one_object_a_row(backed_up: Machine, command: list[str], fields: set[str]) -> None:
    rows = backed_up.succeed(*command, "--json").rows

    assert rows
    assert all(row.keys() >= fields for row in rows)


def test_devices_prints_one_object_a_device(backed_up: Machine) -> None:
    rows = backed_up.succeed("devices", "--json").rows_of("device")

    assert [(row["name"], row["state"], row["path"]) for row in rows] == [
        (name, "live", str(backed_up.device(name))) for name in "abc"
    ]


def test_restore_and_check_end_with_a_summary(backed_up: Machine) -> None:
    restore = backed_up.succeed("restore", "latest", "--target", "out", "--json").summary
    check = backed_up.succeed("check", "--read-data", "--json").summary

    assert restore["files"] == 3
    assert restore["bytes_restored"] == 900_010
    assert [restore["errors"], check["errors"]] == [0, 0]
    assert check["segments"] == len(backed_up.segments_on())
    assert check["bytes_read"] >= 900_010


@pytest.mark.parametrize("command", [["backup"], ["restore", "latest"], ["ls", "ffffffff"], ["nonsense"]], ids=" ".join)
def test_a_command_that_fails_prints_the_error_as_an_object(backed_up: Machine, command: list[str]) -> None:
    done = backed_up.run(*command, "--json")

    assert done.exit_code == 2
    assert [row["message_type"] for row in done.rows] == ["error"]
    assert done.errors[0].keys() == {"message_type", "code", "message", "path", "hint"}


def test_names_that_are_not_utf8_are_escaped_and_can_be_told_apart(machine: Machine) -> None:
    source = Tree({b"\xff": b"1", "ÿ": b"2", "two\nlines": b"3"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a"))

    done = machine.succeed("ls", "latest", "data", "--json")

    assert done.stdout.isascii()
    assert {os.fsencode(row["path"]) for row in done.rows} == {
        b"data", b"data/\xff", "data/ÿ".encode(), b"data/two\nlines"
    }  # fmt: skip


def test_without_json_a_person_reads_a_table(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")

    done = machine.succeed("backup", source, *machine.devices("a b"))

    assert b"device  segments" in done.stdout
    assert b"1 file," in done.stdout
    assert done.stderr.splitlines() == [
        f"segfleet: device {name} is new: {place_of(machine.device(name))}" for name in "ab"
    ]


def place_of(folder: Path) -> str:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return f"{folder}, on the file system at {max(filter(folder.is_relative_to, points), key=len)}"
