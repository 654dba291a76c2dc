"""Backups of streams: what a command writes, or standard input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program.command import SEGFLEET, Row, Running
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import read_all
from kit.tree import noise

MIB = 1024 * 1024
CONTENT = noise(9 * MIB + 4_321, 7)

#: Where the command of a slow stream waits, with what it has written by then.
GATE_AT = 6 * MIB

STEPS = ("--segment-size=1MiB", "--unit-size=64KiB", "--level=1", "--threads=1", "--stdin-filename=db.sql", "--json")


class Streams:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.flags = machine.devices("a b")
        for name, data in {"all": CONTENT, "first": CONTENT[:GATE_AT], "rest": CONTENT[GATE_AT:]}.items():
            (machine.folder / name).write_bytes(data)
        self.gate = machine.folder / "gate"
        os.mkfifo(self.gate)

    def command(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        return ["backup", "--stdin-from-command", *STEPS, *self.flags, *options, "--", *command]

    def start_slow(self, *options: str) -> Running:
        """A stream that stops after some segments, until the gate is opened; returns when they are stored."""
        command = self.command("cat", "first", "gate", "rest", options=options)
        running = self.machine.start(*command, SEGFLEET_REJOIN_S="600")

        def is_stored(row: Row) -> bool:
            devices = row.get("devices", {}) if row.get("phase") == "storing" else {}
            return bool(sum(each["segments_done"] for each in devices.values()) == GATE_AT // MIB)

        running.wait_for_row(is_stored, "what comes before the gate is stored")
        return running

    def open_gate(self) -> None:
        self.gate.write_bytes(b"")

    def content(self, *flags: str) -> bytes:
        return self.machine.succeed("dump", "latest", "db.sql", *flags).stdout

    def spooled(self) -> list[Path]:
        return [path for path in (self.machine.state / "spool").iterdir() if path.name != "lock"]

    def open_states(self) -> list[str]:
        return [row["state"] for row in self.machine.succeed("status", "--json").rows_of("volume")]


@pytest.fixture
def streams() -> Iterator[Streams]:
    with new_machine() as made:
        yield Streams(made)


def test_what_a_command_writes_is_one_file_on_all_devices(streams: Streams) -> None:
    summary = streams.machine.succeed(*streams.command("cat", "all")).summary
    assert (summary["files"], summary["bytes_source"], summary["segments"]) == (1, len(CONTENT), 10)
    assert {name: device["segments"] for name, device in summary["devices"].items()} == {"a": 5, "b": 5}
    assert streams.content() == CONTENT
    assert streams.spooled() == []

    with (streams.machine.folder / "all").open("rb") as data:
        command = [*SEGFLEET, "backup", "--stdin", *STEPS, *streams.flags]
        environment = streams.machine.environment()
        subprocess.run(command, stdin=data, env=environment, check=True, stdout=subprocess.DEVNULL)
    target = streams.machine.folder / "target"
    streams.machine.succeed("restore", "latest", "--target", target)
    assert (target / "db.sql").read_bytes() == CONTENT
    assert (target / "db.sql").stat().st_mode & 0o7777 == 0o600
    read_all(streams.machine)


def test_a_command_that_fails_leaves_no_snapshot_and_an_empty_stream_is_an_empty_file(streams: Streams) -> None:
    failed = streams.machine.run(*streams.command("sh", "-c", "cat first; echo no such table >&2; exit 7"))
    assert failed.exit_code == 1
    assert [row["message"] for row in failed.errors] == ["the command sh ended with exit code 7"]
    assert "no such table" in failed.stderr
    assert streams.spooled() == []
    assert streams.machine.succeed("snapshots", "--json").rows == []
    assert "no backup was interrupted" in streams.machine.run("resume").stderr

    assert streams.machine.succeed(*streams.command("true")).summary["bytes_source"] == 0
    assert streams.content() == b""


def test_a_device_that_dies_in_the_middle_costs_nothing_that_is_in_the_spool(streams: Streams) -> None:
    running = streams.start_slow("--spool-size=16MiB")
    streams.machine.device("a").rename(streams.machine.folder / "gone")
    streams.open_gate()
    done = running.wait()

    assert done.exit_code == 0, done
    assert [row["code"] for row in done.errors] == ["device-dead"]
    assert done.summary["devices"]["b"]["segments"] == done.summary["segments"] == 10
    assert streams.content(streams.flags[1]) == CONTENT


def test_what_a_dead_device_holds_and_the_spool_does_not_is_named(streams: Streams) -> None:
    running = streams.start_slow("--spool-size=2MiB")
    streams.machine.device("a").rename(streams.machine.folder / "gone")
    streams.open_gate()
    done = running.wait()

    assert done.exit_code == 3, done
    assert [lack["device"] for lack in done.summary["incomplete"]] == ["a"]
    assert "db.sql" in {Path(row["path"]).name for row in done.errors if row["code"] == "incomplete" and row["path"]}
    (streams.machine.folder / "gone").rename(streams.machine.device("a"))
    assert streams.content() == CONTENT


def test_ctrl_c_leaves_nothing_and_a_killed_run_is_cleaned_up_by_the_next(streams: Streams) -> None:
    running = streams.start_slow()
    running.signal(signal.SIGINT)
    done = running.wait()
    assert done.exit_code == 130
    assert "a stream cannot be resumed" in done.stderr
    assert streams.spooled() == []
    assert "no backup was interrupted" in streams.machine.run("resume").stderr

    streams.start_slow().end()
    streams.open_gate()  # as in any pipe, the command ends when it writes
    streams.machine.wait_until_quiet()
    assert streams.spooled() != []
    for command in ("resume", "retry"):
        refused = streams.machine.run(command)
        assert refused.exit_code == 2
        assert "is of a stream, which cannot be read twice" in refused.stderr
    streams.machine.succeed(*streams.command("cat", "all"))
    assert streams.spooled() == []
    assert streams.open_states() == ["idle"]
    assert "no backup was interrupted" in streams.machine.run("resume").stderr
