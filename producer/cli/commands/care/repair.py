"""``segfleet repair``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import config_option, devices_option, json_option, wait_option
from producer.cli.show.ended import ended
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.summaries import show_repair
from producer.requests import RepairRequest
from producer.run.preflight import check_devices


@click.command(cls=CommandHere)
@devices_option
@wait_option
@json_option
@config_option
@click.pass_obj
def repair(call: Call, devices: dict[str, Path]) -> int:
    """Give each device what it lacks, and report what nothing has any more.

    Run it when a device returns, when one is lost, or after `check` has found damage.  What is lost is rebuilt from
    copies, from parity, or from unchanged files of the sources.  What has changed there, the next backup stores as it
    is now.
    """
    devices = devices or all_devices(call)
    check_devices(devices)
    environment = call.environment(boot=devices)
    from producer.repair.repair import repair as repair_devices
    from producer.retention.made_again import make_lost_again

    environment.begin_workers()
    with watched(call) as observer:
        summary = repair_devices(RepairRequest(devices=devices), observer, environment, make_lost_again)
    return ended(call, summary, show_repair)
