"""``segfleet schema``."""

from __future__ import annotations

import json

import click

from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.completing import commands
from tasks.errors import UsageError


@click.command(cls=CommandHere)
@click.argument("command", shell_complete=commands)
def schema(command: str) -> None:
    """Print the JSON Schema of what COMMAND prints with --json, for programs that read it.

    It describes one line.  Fields are added in later releases, never renamed or removed.
    """
    # Only here: the types refer to all that commands print.
    from producer.cli.show.json_types.by_command import LINES
    from producer.cli.show.json_types.schema import schema_of

    if command not in LINES:
        raise UsageError(f"{command} prints no JSON", hint=f"these do: {', '.join(LINES)}")
    click.echo(json.dumps(schema_of(command), indent=2))
