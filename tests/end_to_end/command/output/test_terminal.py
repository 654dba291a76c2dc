"""What a person sees on terminals of 60, 80 and 120 columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from kit.program.forking.shim import make_forking_shim
from kit.program.halting.dying_backup import DEVICES as THREE
from kit.program.halting.dying_backup import DyingBackup, bars_in
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.printed import printed
from kit.program.terminal import Terminal, terminal
from kit.tree import Tree, noise

WIDTHS = (60, 80, 120)
#: Where one width shows what another does: the least, and one with room.
EXTREMES = (60, 120)


def longest(letter: str) -> str:
    """A name as long as those of devices, volumes and sources may be."""
    return f"{letter}-name-as-long-as-names-may-ever-be-in-this-program-{letter * 30}"[:63]


#: Of everything that a command prints for people, the rest prints for programs: paths, metrics, rights, scripts.
COMMANDS = (
    *("snapshots", "snapshots nobody", "devices", "devices --at-risk", "status", "status --max-age 26h", "history"),
    *("history --timing", "history nobody", "log", "log {volume}", "log ffffffff", "stats", "schedule list"),
    *("schedule remove nobody", "plan --volume {volume}", "backup -h", "-h"),
    *("config show", "config check", "forget --dry-run --keep-last 1", "forget --dry-run latest", "unlock"),
    *("ls latest nothing", "ls 12345678", "restore 12345678 --target x", "pin latest", "tag latest --add {tag}"),
    *("devices lost nobody", "backup", "backup --nonsense", "nonsense", "worker", "notify test"),
)
#: Whole paths, as long as they are: the terminal breaks them, and copies them whole.
OF_PATHS = ("ls latest", "ls -l latest", "find *.png", "find -l *.png")


@pytest.fixture(scope="module")
def machine(shared_machine: Machine) -> Machine:
    """A machine whose shells find segfleet."""
    make_forking_shim(shared_machine.folder / "bin", shared_machine.adopt)
    return shared_machine


@pytest.fixture(scope="module")
def long_names() -> Iterator[Machine]:
    """All names are as long as they may be; the last backup is partial, because a device is away."""
    volume, devices = longest("v"), [longest("a"), longest("b")]
    with new_machine() as made:
        source = Tree({"picture.png": noise(20_000), f"{longest('f')}/other.png": noise(30_000, seed=2)})
        path = source.make(made.folder / "data")
        made.devices(" ".join(devices))
        also = f'[sources.{longest("s")}]\npath = "{path}"\n[volumes.{volume}]\nsources = ["{longest("s")}"]\n'
        made.limit(" ".join(devices), None, also=f'{also}[schedules.{volume}]\ncron = "@daily"\n')
        made.succeed("backup", "--volume", volume, "--tag", longest("t"), "--description", "the first of all " * 6)
        made.succeed("schedule", "run-due")
        (path / "picture.png").write_bytes(b"another")
        made.device(devices[1]).rename(made.folder / "away")
        assert made.run("backup", "--volume", volume).exit_code == 3
        yield made


@pytest.mark.parametrize("columns", EXTREMES)
def test_no_table_note_or_error_runs_past_the_edge_or_is_broken_in_a_word(columns: int, long_names: Machine) -> None:
    for command in COMMANDS:
        lines = printed(long_names, columns, *command.format(volume=longest("v"), tag=longest("t")).split())
        assert lines, command
        # A word that is longer than the line stays whole, on a line of its own.
        beyond = [line for line in lines if len(line) > columns and len(line.split()) > 1]
        assert not beyond, (command, beyond)


def test_a_path_is_always_whole_and_what_stands_before_it_leaves_it_room(long_names: Machine) -> None:
    path = f"{longest('s')}/{longest('f')}/other.png"
    for command in OF_PATHS:
        for columns in WIDTHS:
            shown = next(line for line in printed(long_names, columns, *command.split()) if line.endswith("other.png"))
            assert shown.endswith(path)
            assert len(shown.removesuffix(path)) <= (50 if columns < 80 else 61)


@pytest.mark.parametrize("columns", EXTREMES)
def test_the_summary_has_devices_in_the_order_given_and_the_total_after_them(columns: int, machine: Machine) -> None:
    source = machine.folder / f"of {columns}"
    source.mkdir()
    (source / "file").write_bytes(noise(50_000, seed=columns))
    devices = [f"--device={name}={machine.folder}/own-{columns}/{name}" for name in ("zebra", "ape")]
    for name in ("zebra", "ape"):
        (machine.folder / f"own-{columns}" / name).mkdir(parents=True)

    lines = printed(machine, columns, "backup", source, "--volume", f"w{columns}", *devices, only_output=True)

    assert all(len(line) <= columns for line in lines), lines
    assert [line.split()[0] for line in lines if line][:4] == ["device", "zebra", "ape", "snapshot"]
    assert re.search(r"1 file, 48\.8 KiB", " ".join(lines))


@pytest.fixture(scope="module", params=EXTREMES)
def screen(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    environment = machine.environment({"PATH": f"{machine.folder / 'bin'}:{os.environ['PATH']}"})
    width: int = request.param
    with terminal(machine.folder / f"tmux-{width}", width, folder=machine.folder, environment=environment) as opened:
        yield opened


def test_the_bars_of_a_backup_keep_their_order_and_a_dead_device_neither_moves_nor_ends(
    screen: Terminal, machine: Machine
) -> None:
    folder = machine.folder / f"dying-{screen.columns}"
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
