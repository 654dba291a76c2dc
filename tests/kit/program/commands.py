"""The commands of the program, each imported."""

from __future__ import annotations

import click

from producer.cli.main import segfleet


def all_commands() -> dict[str, click.Command]:
    """Name → command, of the first level."""
    ctx = click.Context(segfleet)
    found = {name: segfleet.get_command(ctx, name) for name in segfleet.list_commands(ctx)}
    return {name: command for name, command in found.items() if command is not None}
