"""``segfleet devices lost``."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_devices
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.counts import counted
from producer.cli.show.rows.devices import show_devices
from producer.cli.show.wrapped import say


@click.command(cls=FleetCommand)
@click.argument("device", metavar="NAME", shell_complete=known_devices)
@json_option
@config_option
@click.pass_obj
def lost(call: Call, device: str) -> None:
    """Mark a device as lost for good: its snapshots then say what they lack, and its name is free.

    NAME is the device's name, or 8 or more digits of its id.  Changes the catalog only.  If the device turns up
    after all, there is nothing to undo: a backup that names it uses it again, as long as it has its marker.
    """
    call.output.is_the_result = False

    from producer.pool.losses.lost import device_named, mark_lost

    with opened_catalog(call) as catalog:
        row, lacking_count = mark_lost(catalog, device_named(catalog, device))
    if call.json:
        show_devices(call, [row])
    else:
        say(
            f"device {row.name} ({row.device_id[:8]}) is lost; "
            f"{counted(lacking_count, 'snapshot')} {'lacks' if lacking_count == 1 else 'lack'} what it held"
        )
