"""What a person sees on terminals of 60, 80 and 120 columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from kit.program.command import make_shim
from kit.program.halting.dying_backup import DEVICES as THREE
from kit.program.halting.dying_backup import DyingBackup, bars_in
from kit.program.machine import Machine
from kit.program.terminal import Terminal, terminal
from kit.tree import Tree, noise

WIDTHS = (60, 80, 120)
#: Not in the order of the alphabet.
DEVICES = "second first"
COMMANDS = (
    *("snapshots", "devices --at-risk", "status", "history", "stats", "plan --volume data", "backup -h"),
    *("schedule list", "config show", "config check"),
)
#: Devices have names as long as they may be.
LONG_DEVICES = tuple(f"{letter}-device-with-a-name-as-long-as-names-of-devices-may-ever-be-{letter}" for letter in "ab")
LONG_VOLUME = "what-is-on-the-old-laptop-of-my-grandmother"


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    """A backup, one that is partial because a device is away, a schedule, and names that fill a line."""
    source = Tree({f"folder/{n}": noise(30_000, seed=n) for n in range(12)}).make(shared_machine.folder / "data")
    also = f'[sources.data]\npath = "{source}"\n[volumes.data]\nsources = ["data"]\n[schedules.data]\ncron = "@daily"\n'
    shared_machine.devices(DEVICES)
    shared_machine.limit(DEVICES, None, also=also)
    shared_machine.succeed("backup", "--volume", "data", "--tag", "with-a-tag", "--description", "the first of all")
    shared_machine.succeed("schedule", "run-due")
    shared_machine.device("first").rename(shared_machine.folder / "away")
    assert shared_machine.run("backup", "--volume", "data").exit_code == 3
    other = Tree({"picture.png": noise(20_000)}).make(shared_machine.folder / "old laptop")
    for name in LONG_DEVICES:
        (shared_machine.folder / name).mkdir()
    options = [f"--device={name}={shared_machine.folder / name}" for name in LONG_DEVICES]
    shared_machine.succeed("backup", str(other), "--volume", LONG_VOLUME, *options)
    make_shim(shared_machine.folder / "bin")
    return shared_machine


@pytest.fixture(scope="module", params=WIDTHS)
def screen(stored: Machine, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    environment = stored.environment({"PATH": f"{stored.folder / 'bin'}:{os.environ['PATH']}"})
    width: int = request.param
    with terminal(stored.folder / f"tmux-{width}", width, folder=stored.folder, environment=environment) as opened:
        yield opened


def test_no_command_runs_past_the_edge_or_is_broken_in_a_word(screen: Terminal) -> None:
    for command in COMMANDS:
        lines = screen.shows(f"segfleet {command} 2>/dev/null")
        assert lines, command
        # The terminal had to break none of them.
        assert screen.lines() == screen.lines(joined=True), (command, lines)


def test_notes_errors_and_logs_are_not_broken_in_a_word(screen: Terminal) -> None:
    for command in ("plan --volume data", "config check", "log data", "ls 12345678"):
        lines = screen.shows(f"segfleet {command}")
        assert lines, command
        assert screen.lines() == screen.lines(joined=True), (command, lines)


def test_the_summary_has_devices_in_the_order_given_and_the_total_after_them(screen: Terminal, stored: Machine) -> None:
    source = stored.folder / f"of {screen.columns}"
    source.mkdir()
    (source / "file").write_bytes(noise(50_000, seed=screen.columns))
    devices = " ".join(f"--device={name}={stored.folder}/own-{screen.columns}/{name}" for name in ("zebra", "ape"))
    for name in ("zebra", "ape"):
        (stored.folder / f"own-{screen.columns}" / name).mkdir(parents=True)

    lines = screen.shows(f"segfleet backup '{source}' --volume w{screen.columns} {devices} 2>/dev/null")

    assert screen.lines() == screen.lines(joined=True)
    words = [line.split()[0] for line in lines if line]
    assert words[:4] == ["device", "zebra", "ape", "snapshot"]
    assert re.search(r"1 file, 48\.8 KiB", " ".join(lines))


def test_the_bars_of_a_backup_keep_their_order_and_a_dead_device_neither_moves_nor_ends(
    screen: Terminal, stored: Machine
) -> None:
    folder = stored.folder / f"dying-{screen.columns}"
    folder.mkdir()
    backup = DyingBackup(screen, folder)

    before = backup.start()
    after = backup.lose_a_device()
    coloured = screen.lines(coloured=True)
    backup.end()

    for lines in (before, after):
        assert [line.split()[0] for line in bars_in(lines)] == [*THREE, "all"]
        assert all(len(line) <= screen.columns for line in lines)
    dead = next(line for line in bars_in(after) if line.split()[0] == "cellar")
    assert "/s" not in dead and " left" not in dead
    # Red is dead, cyan is work, green is done; a bar looks the same in all of them.
    line = next(line for line in coloured if line.lstrip().startswith("cellar"))
    assert "\x1b[31m" in line and not re.search(r"\x1b\[3[26]m[━╸╺]", line), line
