"""``segfleet devices``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.commands.devices.add import add
from producer.cli.commands.devices.at_risk import list_at_risk, risks_of, unprotected_on
from producer.cli.commands.devices.lost import lost
from producer.cli.commands.devices.moved import move, replace
from producer.cli.commands.devices.retire import retire
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_devices
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import config_option, devices_option, json_option, wait_option, wide_option
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.devices import show_devices
from producer.run.preflight import check_devices
from tasks.errors import UsageError


class _DevicesGroup(click.Group):
    """Lists the devices unless the first word says what else to do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        list_.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=_DevicesGroup, subcommand_metavar="[COMMAND [ARGS]...]")
def devices() -> None:
    """Show the state, space and pool of each device; or add, move, replace or retire one, or mark it as lost.

    Without --device and without devices in the configuration: all devices that the catalog knows.
    """


devices.add_command(add)
devices.add_command(lost)
devices.add_command(move)
devices.add_command(replace)
devices.add_command(retire)


@devices.command("list", cls=FleetCommand, hidden=True)
@devices_option
@click.option("--at-risk", is_flag=True, help="Add what would be lost if each device failed now.")
@click.option(
    "--list",
    "listed",
    metavar="NAME",
    help="With --at-risk: the files that would be lost with NAME.",
    shell_complete=known_devices,
)
@wait_option
@wide_option
@json_option
@config_option
@click.pass_obj
def list_(call: Call, devices: dict[str, Path], at_risk: bool, listed: str | None) -> None:
    """The same as without a word."""
    if listed is not None:
        if not at_risk:
            raise UsageError("--list needs --at-risk")
        list_at_risk(call, listed)
        return
    devices = devices or all_devices(call)
    check_devices(devices)

    from producer.pool.ask_devices import ask_devices

    with watched(call) as observer:
        rows = ask_devices(devices, observer, call.environment(reads=True))
    show_devices(call, rows, risks_of(call) if at_risk else None, unprotected_on(call))
