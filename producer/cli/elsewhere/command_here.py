"""Commands that concern this host only; no manager can carry them out."""

from __future__ import annotations

import click

from producer.cli.elsewhere.command import Command
from tasks.errors import UsageError


class CommandHere(Command):
    """A command without ``--manager``; the error says why."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name != "--manager":
                raise
            raise UsageError(
                f"{ctx.command_path} concerns this host only; no manager can run it",
                hint=f"run it without --manager, on the host itself; see {ctx.command_path} --help",
            ) from error
