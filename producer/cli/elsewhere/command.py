"""What all commands have in common."""

from __future__ import annotations

import click


class Command(click.Command):
    """Has ``-h`` also where its options alone are read, outside of the group: click keeps the first help option."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        return ["-h", "--help"]
