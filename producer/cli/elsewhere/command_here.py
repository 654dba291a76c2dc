"""Commands that no manager can carry out for a master: they are about the host itself."""

from __future__ import annotations

import click

from tasks.errors import UsageError


class CommandHere(click.Command):
    """A command without ``--manager``, which says so."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name != "--manager":
                raise
            raise UsageError(
                f"{ctx.command_path} is about this host, and no manager does it for you",
                hint=f"leave --manager out, and run it on the host itself; see {ctx.command_path} --help",
            ) from error
