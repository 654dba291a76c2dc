"""``segfleet worker``: the agent of one host."""

from __future__ import annotations

from typing import Any

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.completing import known_devices
from producer.cli.options.shared import config_option
from producer.cli.show.times import stamped
from producer.configuration.tables import Configuration, DeviceTable
from producer.configuration.values.sizes import parse_size
from tasks.errors import UsageError


@click.command(cls=CommandHere)
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...", shell_complete=known_devices)
@click.option("--events", is_flag=True, help="Send events for Flower; costs a quarter of the message rate.")
@config_option
@click.pass_obj
def worker(call: Call, devices: tuple[str, ...], events: bool) -> None:
    """Serve DEVICEs of the configuration until SIGTERM: carry out the orders of managers, one at a time per device.

    Any number of hosts can serve devices, several workers can serve one device, and they can start at any time.  After
    SIGTERM each worker finishes its current order.
    """
    from producer.broker import broker
    from producer.broker.may_serve import check_may_serve
    from producer.cli.elsewhere.open_broker import warn_about_broker
    from producer.fleet.agent import Agent

    environment = call.environment()
    if environment.broker_url is None:
        raise UsageError(
            "a worker needs a broker",
            hint="set [broker] url in the configuration; without a broker, backup starts its own workers",
        )
    settings = worker_settings(call.configuration, devices, environment.broker_url)
    with broker(environment.broker_url, environment.state):
        warn_about_broker(environment.broker_url)
        check_may_serve(environment.broker_url, devices)
    Agent(settings=settings, devices=devices, events=events, note=_note).run()


def worker_settings(configuration: Configuration, devices: tuple[str, ...], broker_url: str) -> dict[str, Any]:
    """What ``python -m workers`` reads: the devices that are served, all sources and all targets of this host.

    Raises UsageError for a device that the configuration does not have, or has without a folder.
    """
    tables = {name: _table(configuration, name) for name in devices}
    if len(tables) < len(devices):
        raise UsageError("a device is named twice", hint="to run two workers of one device, start the command twice")
    return {
        "broker_url": broker_url,
        "devices": {
            name: {
                "path": table.path,
                "bytes_per_s": parse_size(table.max_rate) if table.max_rate else None,
                "discard": table.discard,
                "append_only": table.append_only,
                "site": table.site or "",
            }
            for name, table in tables.items()
        },
        "sources": {name: source.path for name, source in configuration.sources.items()},
        "targets": {name: target.path for name, target in configuration.targets.items()},
    }


def _table(configuration: Configuration, device: str) -> DeviceTable:
    table = configuration.devices.get(device)
    if table is None:
        known = ", ".join(sorted(configuration.devices)) or "none"
        raise UsageError(
            f"device {device} is not in the configuration", hint=f"known here: {known}; add [devices.{device}]"
        )
    if table.path is None:
        raise UsageError(
            f"device {device} has no folder on this host", hint=f"add a path to [devices.{device}] in the configuration"
        )
    return table


def _note(text: str) -> None:
    click.echo(stamped(text), err=True)
