"""``segfleet devices retire``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.completing import known_devices
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import config_option, devices_option, json_option, wait_option
from producer.cli.show.counts import counted
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.devices import show_devices
from producer.cli.show.wrapped import say, warn
from producer.configuration.values.sizes import format_size
from producer.run.preflight import check_devices


@click.command(cls=CommandHere)
@click.argument("device", metavar="NAME", shell_complete=known_devices)
@devices_option
@wait_option
@json_option
@config_option
@click.pass_obj
def retire(call: Call, device: str, devices: dict[str, Path]) -> None:
    """Copy what is needed of a device to the others, and take it out of the pool.

    Nothing is deleted from it.  Remove it from the configuration afterwards: a backup that names the device uses it
    again.
    """
    call.output.is_the_result = False
    devices = devices or all_devices(call)
    check_devices(devices)

    from producer.retention.retire import retire_device

    with watched(call) as observer:
        done = retire_device(device, devices, observer, call.environment())
    if call.json:
        show_devices(call, [done.row])
        return
    say(
        f"device {done.row.name} ({done.row.device_id[:8]}) has left the pool; "
        f"{counted(done.objects_copied, 'object')}, {format_size(done.bytes_copied)} copied to other devices"
    )
    if device in call.configuration.devices:
        warn(f"take it out of the configuration: [devices.{device}]")
