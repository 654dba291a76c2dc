"""The documents name everything that the program has."""

from __future__ import annotations

import importlib
import pkgutil
import re
from importlib.metadata import requires
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement

import producer
import tasks
import workers
from kit.program.commands import all_commands
from kit.repository import REPOSITORY
from producer.cli.call import BROKER_VARIABLE, CATALOG_VARIABLE
from producer.configuration.finding import CONFIG_VARIABLE
from producer.configuration.reading import parse_configuration
from producer.configuration.tables import DefaultsTable
from tasks.errors import SegfleetError

CLI = (REPOSITORY / "docs/cli.md").read_text()
CONFIGURATION = (REPOSITORY / "docs/configuration.md").read_text()
COMMANDS = all_commands()

#: Named once for all commands.
COMMON = {"--json", "--config", "--help", "--manager", "--detach", "--wait", "--wide", "--quiet", "-q"}


def section(name: str) -> str:
    match = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", CLI, re.DOTALL | re.MULTILINE)
    assert match, f"docs/cli.md has no section {name}"
    return match[1]


def options_of(command: click.Command) -> list[str]:
    parts = [command, *getattr(command, "commands", {}).values()]
    options = [param for part in parts for param in part.params if isinstance(param, click.Option)]
    return [name for option in options for name in option.opts + option.secondary_opts if name not in COMMON]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_described(name: str) -> None:
    # These take the options of `backup`, and a schedule those of `forget`; they are described there.
    others = {"plan": ["backup"], "schedule": ["backup", "forget"]}
    text = "".join(map(section, [name, *others.get(name, ())]))
    missing = [option for option in options_of(COMMANDS[name]) if f"`{option}" not in text]
    assert missing == []


def test_no_command_is_described_that_is_not_there() -> None:
    sections = set(re.findall(r"^## ([a-z]+)$", CLI, re.MULTILINE))
    assert sections == set(COMMANDS)


def test_no_option_is_described_that_is_not_there() -> None:
    known = {name for command in COMMANDS.values() for name in options_of(command)}
    assert set(re.findall(r"`(--[a-z-]+)", CLI)) <= known | COMMON | {"--version"}


def test_the_variables_are_described() -> None:
    for variable in (CONFIG_VARIABLE, BROKER_VARIABLE, CATALOG_VARIABLE, "SEGFLEET_STATE", "SEGFLEET_DEBUG"):
        assert f"`{variable}`" in CLI


def test_every_error_code_is_described_with_its_exit_code() -> None:
    for package in (tasks, producer, workers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith(("__main__", ".env")):
                importlib.import_module(module.name)
    errors = _with_subclasses(SegfleetError)
    assert len({error.code for error in errors}) == len(errors)
    table = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", section("Error codes"), re.MULTILINE))
    assert table == {error.code: str(error.exit_code) for error in errors}


def _with_subclasses(error: type[SegfleetError]) -> list[type[SegfleetError]]:
    return [error, *(one for child in error.__subclasses__() for one in _with_subclasses(child))]


def test_the_example_of_the_configuration_is_valid_and_complete() -> None:
    example = re.search(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert example
    configuration = parse_configuration(example[1], Path("/etc/segfleet.toml"))
    assert set(configuration.defaults.given()) == set(DefaultsTable.__struct_fields__)
    assert set(configuration.devices) == {"a", "b", "tape"}


def test_every_default_of_the_file_is_an_option_of_a_backup() -> None:
    names = {param.name for param in COMMANDS["backup"].params}
    assert set(DefaultsTable.__struct_fields__) <= names


def test_every_dependency_has_its_reason() -> None:
    text = (REPOSITORY / "docs/dependencies.md").read_text()
    named = set(re.findall(r"^\| ([\w-]+) \|", text, re.MULTILINE)) - {"package"}
    assert named == {Requirement(line).name for line in requires("segfleet") or ()}
