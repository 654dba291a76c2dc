"""``segfleet broker``: what concerns the broker itself."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.options.completing import known_devices
from producer.cli.options.shared import config_option
from producer.configuration.tables import DEVICE_NAME
from tasks.errors import UsageError


@click.group("broker")
def broker() -> None:
    """Set up the broker of a fleet."""


@broker.command()
@click.option("--manager", "managers", multiple=True, metavar="NAME", help="A manager; repeat for each.")
@click.argument("devices", nargs=-1, metavar="[DEVICE...]", shell_complete=known_devices)
@config_option
@click.pass_obj
def acl(call: Call, devices: tuple[str, ...], managers: tuple[str, ...]) -> None:
    """Print the commands that create a Redis user for each DEVICE, each manager, the masters and Flower.

    Without DEVICE: all devices in the configuration.  Replace each PASSWORD before you pipe the commands to redis-cli;
    then put the user's name and password into the [broker] url of its host.
    """
    # Only here: the package's imports take a third of a second.
    from producer.broker.acl import acl_commands

    names = devices or tuple(call.configuration.devices)
    for name in (*names, *managers):
        if not DEVICE_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a valid name", hint="use letters, digits, '-' and '_'")
    for command in acl_commands(names, managers):
        click.echo(command)
