"""Who holds a volume is shown, kept apart from others, and forgotten when it is gone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.models.owners import ELSEWHERE, change_owners
from kit.program.command import Running
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.program.proof import read_all
from kit.tree import Tree, noise
from producer.ownership.verdict import GONE_S

#: The two devices take 48 s to store the source, unless the brake is released.
RATE = "64KiB"


@pytest.fixture
def brake(machine: Machine) -> Brake:
    return Brake(machine.folder / "brake")


@pytest.fixture
def source(machine: Machine) -> Path:
    return Tree({"large": noise(6 * 2**20, seed=1)}).make(machine.folder / "data")


@pytest.fixture
def running(machine: Machine, source: Path, brake: Brake) -> Running:
    """A backup of volume data that waits for its devices."""
    machine.limit("a b", RATE)
    made = machine.start("backup", source, *machine.devices("a b"), "--json", **brake.settings)
    made.wait_until_storing()
    return made


def catalog_of(machine: Machine) -> str:
    return f"sqlite:///{machine.state / 'catalog.sqlite'}"


def test_the_lock_of_a_run_that_lives_is_shown_and_stays(machine: Machine, running: Running, brake: Brake) -> None:
    [listed] = machine.succeed("unlock", "--list", "--json").rows
    [volume, *_] = machine.succeed("status", "--json").rows_of("volume")
    everything = machine.succeed("unlock")
    refused = machine.run("unlock", "data", "--json")
    [after] = machine.succeed("unlock", "--list", "--json").rows

    assert (listed["name"], listed["pid"], listed["owner"]) == ("volume data", running.pid, "alive")
    assert (volume["state"], volume["lock"]["pid"]) == ("running", running.pid)
    assert b"kept, its owner is alive" in everything.stdout
    assert refused.exit_code == 11
    assert refused.errors[-1]["code"] == "locked"
    assert f"volume data is in use by backup of data (pid {running.pid} on " in refused.stderr
    assert after["since"] == listed["since"]

    brake.release()
    assert running.wait().exit_code == 0
    assert machine.succeed("unlock", "--list", "--json").rows == []


def test_the_lock_of_a_killed_run_is_removed(machine: Machine, running: Running) -> None:
    running.signal(signal.SIGKILL)
    running.wait()

    [listed] = machine.succeed("unlock", "--list", "--json").rows
    [volume, *_] = machine.succeed("status", "--json").rows_of("volume")
    [removed] = machine.succeed("unlock", "data", "--json").rows

    assert (listed["owner"], listed["removed"]) == ("gone", False)
    assert (volume["state"], volume["lock"]) == ("interrupted", None)
    assert removed["removed"]
    assert machine.succeed("unlock", "--list", "--json").rows == []
    assert "there are no locks" in machine.succeed("unlock", "data").stderr


def test_the_next_run_takes_over_from_a_killed_one_by_itself(machine: Machine, source: Path, running: Running) -> None:
    running.signal(signal.SIGKILL)
    running.wait()
    machine.limit("a b", None)

    done = machine.succeed("backup", source, *machine.devices("a b"), "--json")

    assert "the previous backup of data did not finish" in done.stderr
    assert "continuing snapshot" in done.stderr
    assert len(machine.succeed("snapshots", "--json").rows) == 1


def test_a_second_run_of_a_volume_runs_none_of_its_commands(machine: Machine, source: Path, brake: Brake) -> None:
    log = machine.folder / "log"
    commands = f'[volumes.data]\npre = "echo pre >> {log}"\npost = "echo post >> {log}"\n'
    machine.limit("a b", RATE, also=commands)
    first = machine.start("backup", source, *machine.devices("a b"), "--json", **brake.settings)
    first.wait_until_storing()

    second = machine.run("backup", source, *machine.devices("c"))

    assert second.exit_code == 11
    assert log.read_text() == "pre\n"
    brake.release()
    assert first.wait().exit_code == 0
    assert log.read_text() == "pre\npost\n"


def test_a_run_whose_locks_were_taken_while_it_stood_still_changes_nothing_more(
    machine: Machine, source: Path, running: Running, brake: Brake
) -> None:
    # Stopped while it writes to the catalog, it would let nobody else do so; from now on it has little to write.
    devices = [machine.device(name) for name in "ab"]
    eventually(lambda: all(list(device.rglob("*.tmp")) for device in devices), "both devices are at work")
    running.signal(signal.SIGSTOP)
    # As if it were at another host, and silent for longer than anybody who lives.
    change_owners(catalog_of(machine), pid_space=ELSEWHERE, host="far", silent_s=GONE_S + 1)
    [removed] = machine.succeed("unlock", "--json").rows
    assert (removed["host"], removed["removed"]) == ("far", True)

    running.signal(signal.SIGCONT)
    brake.release()
    ended = running.wait()

    assert ended.exit_code == 11
    assert "this run has lost its locks" in ended.stderr
    assert machine.succeed("snapshots", "--json").rows == []
    machine.limit("a b", None)
    again = machine.succeed("backup", source, *machine.devices("a b"), "--json")
    assert "continuing snapshot" in again.stderr
    read_all(machine)
