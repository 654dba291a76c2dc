"""``segfleet rebuild``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option, devices_option, json_option, wait_option
from producer.cli.show.ended import ended
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.summaries import show_rebuild
from producer.requests import RebuildRequest
from producer.run.preflight import check_devices
from tasks.errors import UsageError


@click.command(cls=CommandHere)
@devices_option
@click.option(
    "--accept-damage",
    is_flag=True,
    help="Count what is damaged on all devices as lost for good, so that prune may delete on them again.",
)
@wait_option
@json_option
@config_option
@click.pass_obj
def rebuild(call: Call, devices: dict[str, Path], accept_damage: bool) -> int:
    """Rebuild the catalog from the devices: record every snapshot that it does not know.

    What the catalog knows stays as it is, and nothing on the devices changes without --accept-damage.  Run it when
    the state folder is lost, after you put back an old copy of it, or to restore on another machine.
    """
    if not devices:
        raise UsageError("name the devices to read", hint="segfleet rebuild --device NAME=PLACE, once for each")
    check_devices(devices)
    environment = call.environment(boot=devices)
    from producer.rebuild.rebuild import rebuild as rebuild_catalog

    environment.begin_workers()
    request = RebuildRequest(devices=devices, accept_damage=accept_damage)
    with watched(call) as observer:
        summary = rebuild_catalog(request, observer, environment)
    return ended(call, summary, show_rebuild)
