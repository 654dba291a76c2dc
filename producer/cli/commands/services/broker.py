"""``segfleet broker``: what concerns the broker itself."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.options.shared import config_option
from producer.configuration.tables import DEVICE_NAME
from tasks.errors import UsageError


@click.group("broker")
def broker() -> None:
    """Help with the broker of a fleet."""


@broker.command()
@click.option("--manager", "managers", multiple=True, metavar="NAME", help="A manager; repeat for each.")
@click.argument("devices", nargs=-1, metavar="[DEVICE...]")
@config_option
@click.pass_obj
def acl(call: Call, devices: tuple[str, ...], managers: tuple[str, ...]) -> None:
    """Print the commands that make a Redis user for each DEVICE, each manager, the masters and Flower.

    Without DEVICE: those of the configuration.  Fill in a password for each PASSWORD before you give the commands to
    redis-cli; the user's name and password then stand in the [broker] url of that host.
    """
    # Only here: the package's imports take a third of a second.
    from producer.broker.acl import acl_commands

    names = devices or tuple(call.configuration.devices)
    for name in (*names, *managers):
        if not DEVICE_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a name", hint="names are made of letters, digits, '-' and '_'")
    for command in acl_commands(names, managers):
        click.echo(command)
