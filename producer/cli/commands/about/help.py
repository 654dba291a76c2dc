"""``segfleet help``."""

from __future__ import annotations

import click

from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.completing import commands
from tasks.errors import UsageError


@click.command("help", cls=CommandHere)
@click.argument("words", nargs=-1, metavar="[COMMAND...]", shell_complete=commands)
@click.pass_context
def help_(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, as COMMAND --help does; without one, of the program."""
    shown = ctx.find_root()
    for word in words:
        group = shown.command
        command = group.get_command(shown, word) if isinstance(group, click.Group) else None
        if command is None:
            raise UsageError(f"there is no command {' '.join(words)}", hint="segfleet help lists the commands")
        shown = click.Context(command, info_name=word, parent=shown)
    click.echo(shown.get_help())
