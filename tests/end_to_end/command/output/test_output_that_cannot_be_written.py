"""What a command does, and how it ends, when its output is closed, full or broken.

A command that does something does all of it and ends as always; one whose whole result is its output ends with 1.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import click
import pytest

from kit.compare import differences
from kit.models.reservations import NEW_YEAR, make_due
from kit.program.command import SEGFLEET
from kit.program.forking.forked import fork
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.tree import Tree
from producer.cli.main import segfleet

OUTPUTS = ("closed", "full", "broken")

#: Arguments, with {} for the machine's folder → the exit code with each output that cannot be written.
EXIT_CODES = {
    "backup {}/data --device=a={}/devices/a": 0,
    "backup {}/data --device=a={}/devices/a --json": 0,
    "backup {}/data --device=a={}/devices/a --dry-run": 1,
    "broker acl": 1,
    "check --device=a={}/devices/a": 0,
    "completion bash": 1,
    "config check --config={}/other.toml": 1,
    "config show --config={}/other.toml": 1,
    "devices list": 1,
    "devices add b={}/nowhere": 10,
    "devices lost a": 0,
    "devices move a={}/devices/a": 0,
    "devices replace a={}/nowhere": 10,
    "devices retire nobody": 2,
    # Nothing differs, so nothing is written.
    "diff latest latest": 0,
    "diff --help": 1,
    "dump latest data/file --device=a={}/devices/a": 1,
    "find file": 1,
    "flower": 2,
    "forget --keep-last=100": 0,
    "help": 1,
    "history": 1,
    "init {}/data --device=a={}/devices/a --file={}/new.toml --force": 0,
    "log": 1,
    "ls latest": 1,
    "manager": 2,
    "metrics": 1,
    "mount latest {}/nowhere": 2,
    "notify test": 2,
    "page --listen=nowhere": 2,
    "pin latest": 0,
    "plan {}/data --device=a={}/devices/a": 1,
    "prune --device=a={}/devices/a": 0,
    "rebuild --device=a={}/devices/a": 0,
    "repair --device=a={}/devices/a": 0,
    "restore latest --target={}/target --overwrite=always --device=a={}/devices/a": 0,
    "resume --device=a={}/devices/a": 2,
    "retry --device=a={}/devices/a": 2,
    "rewrite latest --exclude=nothing --device=a={}/devices/a": 0,
    "schedule add other {}/data --device=a={}/devices/a --cron=0_2_1_1_* --tz=UTC": 0,
    "schedule list": 1,
    "schedule remove nobody": 2,
    "schedule run-due": 0,
    "schema backup": 1,
    "snapshots": 1,
    "snapshots --json": 1,
    "stats": 1,
    "status": 1,
    "tag latest --add=kept": 0,
    "unlock": 0,
    "unpin latest": 0,
    "worker a": 2,
    "--help": 1,
    "--version": 1,
}

#: One of each way to print: text by the page, JSON, nothing but help, and what does something beside.
_WITH_EACH_OUTPUT = ("ls latest", "snapshots --json", "--help", "pin latest", "schema backup")


def outputs_for(line: str) -> tuple[str, ...]:
    """The kinds of output that a command is run with: all, or the next in turn."""
    return OUTPUTS if line in _WITH_EACH_OUTPUT else (OUTPUTS[[*EXIT_CODES].index(line) % len(OUTPUTS)],)


@pytest.fixture(scope="module")
def holder(shared_machine: Machine) -> Machine:
    """The shared machine, with a snapshot of ``data`` on the device a and a reservation."""
    source = Tree({"file": b"kept", "other": b"kept too"}).make(shared_machine.folder / "data")
    shared_machine.succeed("backup", source, *shared_machine.devices("a"))
    shared_machine.succeed("schedule", "add", "data", source, *shared_machine.devices("a"), *NEW_YEAR)
    (shared_machine.folder / "other.toml").write_text(f'[sources.data]\npath = "{source}"\n')
    return shared_machine


@contextmanager
def output_that_is(kind: str) -> Iterator[int | None]:
    """A descriptor that cannot be written; none where it is ``closed``."""
    if kind == "closed":
        yield None
        return
    if kind == "broken":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    try:
        yield writing
    finally:
        os.close(writing)


def run(machine: Machine, kind: str, *arguments: str | Path, stderr: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output, and with ``stderr`` standard error too, is of this kind."""
    with output_that_is(kind) as out, output_that_is(stderr or kind) as err, TemporaryFile("w+") as said:
        words = [str(argument) for argument in arguments]
        outputs = (out, err if stderr else said.fileno())
        pid = fork(SEGFLEET, words, environment=machine.environment(), folder=machine.folder, outputs=outputs)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        return subprocess.CompletedProcess(words, code, stderr=said.read())


@pytest.mark.parametrize("line", EXIT_CODES)
def test_each_command_ends_with_its_code_whatever_its_output_is(holder: Machine, line: str) -> None:
    arguments = line.format(*[holder.folder] * line.count("{}")).split()
    arguments = [argument.replace("0_2_1_1_*", "0 2 1 1 *") for argument in arguments]
    kinds = outputs_for(line)
    done = {kind: run(holder, kind, *arguments) for kind in kinds}

    assert {kind: one.returncode for kind, one in done.items()} == dict.fromkeys(kinds, EXIT_CODES[line]), done
    for one in done.values():
        assert "internal error" not in one.stderr
        assert "Traceback" not in one.stderr
        assert "Exception ignored" not in one.stderr
        assert one.stderr.count("standard output cannot be written") <= 1


@pytest.mark.parametrize(
    "line", ["backup {}/data --device=a={}/devices/a --json", "check --device=a={}/devices/a", "--help"]
)
def test_an_interpreter_that_begins_without_output_ends_as_the_others(holder: Machine, line: str) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *SEGFLEET, *line.format(*[holder.folder] * 3).split()]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=holder.folder,
        env=holder.environment(),
        timeout=120,
        check=False,
        text=True,
    )
    assert done.returncode == EXIT_CODES[line], done
    assert "Traceback" not in done.stderr


def commands_in(group: click.Group, words: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_in(command, f"{words}{name} ")
        else:
            yield f"{words}{name}"


def test_each_command_is_in_the_table() -> None:
    assert [
        one for one in commands_in(segfleet) if not any(f"{line} ".startswith(f"{one} ") for line in EXIT_CODES)
    ] == []


def test_a_full_output_is_said_once_and_the_backup_continues(machine: Machine) -> None:
    source = Tree({f"file-{number}": b"x" for number in range(20)}).make(machine.folder / "data")

    done = run(machine, "full", "backup", source, *machine.devices("a b"), "--json")

    assert done.returncode == 0
    assert done.stderr.count("standard output cannot be written: No space left on device; the command continues") == 1
    bring_back(machine, "target")
    assert differences(source, machine.folder / "target" / "data") == []


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_backup_is_made_when_errors_cannot_be_written_either(machine: Machine, kind: str) -> None:
    source = Tree({"file": b"x"}).make(machine.folder / "data")
    (source / "gone").symlink_to("nowhere")

    done = run(machine, kind, "backup", source, *machine.devices("a"), "--json", stderr=kind)

    assert done.returncode == 0
    (snapshot,) = machine.run("snapshots", "--json").rows
    assert snapshot["sealed"]


def test_all_due_backups_are_made_when_the_log_is_on_a_full_disk(machine: Machine) -> None:
    for name in ("one", "two", "three"):
        source = Tree({"file": name.encode()}).make(machine.folder / name)
        machine.succeed("schedule", "add", name, source, *machine.devices("a"), *NEW_YEAR)
    make_due(machine.catalog)

    done = run(machine, "full", "schedule", "run-due", stderr="full")

    assert done.returncode == 0
    assert {row["volume"] for row in machine.run("snapshots", "--json").rows} == {"one", "two", "three"}
    assert {row["last_outcome"] for row in machine.run("schedule", "list", "--json").rows} == {"done"}


@pytest.mark.parametrize("command", [["ls", "latest"], ["dump", "latest", "/"]], ids=" ".join)
def test_a_list_or_an_archive_ends_quietly_when_its_reader_has_read_enough(holder: Machine, command: list[str]) -> None:
    done = run(holder, "broken", *command)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_list_that_cannot_be_written_says_so_and_fails(holder: Machine) -> None:
    done = run(holder, "full", "snapshots")
    assert done.returncode == 1
    assert done.stderr.startswith("segfleet: standard output cannot be written: No space left on device\n")
