"""There is a schema for each command that knows --json."""

from __future__ import annotations

import click

from kit.program.commands import all_commands
from producer.cli.show.json_types.by_command import LINES
from producer.cli.show.json_types.schema import schema_of


def knows_json(command: click.Command) -> bool:
    parts = [command, *getattr(command, "commands", {}).values()]
    return any("--json" in param.opts for part in parts for param in part.params)


def test_each_command_with_json_has_a_schema() -> None:
    assert {name for name, command in all_commands().items() if knows_json(command)} == LINES.keys()


def test_each_line_of_a_schema_must_have_its_type() -> None:
    for command in LINES:
        schema = schema_of(command)
        lines = [one for one in schema["$defs"].values() if "message_type" in one["properties"]]
        assert all("message_type" in line["required"] for line in lines), command
