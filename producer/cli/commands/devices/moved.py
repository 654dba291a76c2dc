"""``segfleet devices move`` and ``segfleet devices replace``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option, json_option, named_folder, wait_option
from producer.cli.show.counts import counted
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.devices import show_devices
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say, warn


@click.command(cls=CommandHere)
@click.argument("device", type=named_folder, metavar="NAME=PATH")
@wait_option
@json_option
@config_option
@click.pass_obj
def move(call: Call, device: tuple[str, Path]) -> None:
    """Record that a device is in another folder now, where its marker must be.

    Changes the catalog only: commands without --device look for the device there from now on.
    """
    call.output.is_the_result = False
    name, place = device

    from producer.pool.exchange import move_device

    with watched(call) as observer:
        row = move_device(name, place, observer, call.environment())
    if call.json:
        show_devices(call, [row])
    else:
        say(f"device {row.name} ({row.device_id[:8]}) is in {escaped(str(place))}")
    _point_at_configuration(call, row.name, place)


@click.command(cls=CommandHere)
@click.argument("device", type=named_folder, metavar="NAME=PATH")
@wait_option
@json_option
@config_option
@click.pass_obj
def replace(call: Call, device: tuple[str, Path]) -> None:
    """Give the name of a lost device to a new disk.

    PATH is an empty folder on the new disk.  It becomes a device of the same pool; no data moves.  The old device
    counts as lost: its snapshots say what they lack.
    """
    call.output.is_the_result = False
    name, place = device

    from producer.pool.exchange import replace_device

    with watched(call) as observer:
        done = replace_device(name, place, observer, call.environment())
    if call.json:
        show_devices(call, [done.old, done.new])
    else:
        say(
            f"device {name} is now {done.new.device_id[:8]} in {escaped(str(place))}; {done.old.device_id[:8]} "
            f"is lost, and {counted(done.lacking_count, 'snapshot')} "
            f"{'lacks' if done.lacking_count == 1 else 'lack'} what it held"
        )
    _point_at_configuration(call, name, place)


def _point_at_configuration(call: Call, name: str, place: Path) -> None:
    """The file still names the folder that it names, and the next backup looks there."""
    table = call.configuration.devices.get(name)
    if table is not None and table.path != str(place):
        warn(
            f"segfleet: {escaped(str(call.configuration_path))} has another path for [devices.{name}]; change it too",
        )
