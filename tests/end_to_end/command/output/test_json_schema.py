"""What commands print with --json is as `segfleet schema` says."""

from __future__ import annotations

import json

import pytest

from kit.program.json_lines import follow_their_schema
from kit.program.machine import Machine
from kit.tree import Tree, noise
from producer.cli.main import run
from producer.cli.show.json_types.schema import schema_of

#: These start workers.
RUNS = (
    "backup --volume data -v",
    "plan --volume data",
    "restore latest:data --target {folder}/out --dry-run",
    "restore latest:data --target {folder}/out",
    "devices --at-risk",
    "check",
)
#: These only use the catalog, so that this process carries them out.
LISTS = (
    "snapshots",
    "ls latest",
    "find new",
    "diff latest~1 latest",
    "devices --at-risk --list a",
    "schedule add data --cron @daily",
    "schedule add --check --cron @daily",
    "schedule list",
    "schedule run-due",
    "status",
    "status --max-age 26h",
    "history",
    "history --timing",
    "stats",
    "log",
    "unlock --list",
    "pin latest",
    "tag latest --add t",
    "forget --keep-last 1 --dry-run",
    "config check",
    "config show",
    "init {folder}/data --device a={folder}/devices/a --file {folder}/new.toml",
    # They fail.
    "backup --volume nothing",
    "snapshots nothing",
)


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    source = Tree({f"folder/{n}": noise(30_000, seed=n) for n in range(4)}).make(shared_machine.folder / "data")
    shared_machine.devices("a b")
    also = f'[sources.data]\npath = "{source}"\n[volumes.data]\nsources = ["data"]\n'
    shared_machine.limit("a b", None, also=also)
    shared_machine.succeed("backup", "--volume", "data")
    (source / "new").write_text("since then")
    return shared_machine


def test_the_output_of_each_command_is_as_its_schema_says(
    stored: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in RUNS:
        rows = stored.succeed(*command.format(folder=stored.folder).split(), "--json").rows
        assert rows, command
        follow_their_schema(command, rows)
    for name, value in stored.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(stored.folder)
    empty = []
    for command in LISTS:
        run([*command.format(folder=stored.folder).split(), "--json"])
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        follow_their_schema(command, rows)
        empty += [] if rows else [command]
    # These have nothing to say here.
    assert empty == ["unlock --list", "config check"]


def test_the_schema_of_a_command_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "backup"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("backup")
    assert run(["schema", "mount"]) == 2
    assert "mount prints no JSON" in capsys.readouterr().err
