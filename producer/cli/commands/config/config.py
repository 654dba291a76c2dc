"""``segfleet config``: what the configuration says, and what is wrong with it."""

from __future__ import annotations

import click

from producer.cli.commands.config.check import check
from producer.cli.commands.config.show import show


@click.group()
def config() -> None:
    """Check the configuration of this host, or show its settings and where each comes from."""


config.add_command(check)
config.add_command(show)
