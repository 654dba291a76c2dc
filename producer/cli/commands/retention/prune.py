"""``segfleet prune``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.known_devices import all_devices
from producer.cli.options.repack import repack_options
from producer.cli.options.shared import (
    config_option,
    devices_option,
    json_option,
    quiet_option,
    wait_option,
    wide_option,
)
from producer.cli.show.ended import ended
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.pruned import show_prune
from producer.requests import DEFAULT_LIMITS, PruneRequest, RepackLimits
from producer.run.preflight import check_devices


@click.command(cls=FleetCommand)
@devices_option
@repack_options
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show for each device what would be deleted and written; change nothing."
)
@wait_option
@quiet_option
@wide_option
@json_option
@config_option
@click.pass_obj
def prune(call: Call, devices: dict[str, Path], dry_run: bool, limits: RepackLimits) -> int:
    """Delete from the devices what no snapshot needs any more.

    Forgetting snapshots frees no space by itself.  If a device is away, a later prune frees its space.  Backups,
    restores and checks may run meanwhile.

    Objects of which only a part is needed are repacked: that part is rewritten on the least-filled devices, until no
    more than --max-unused of the stored data is unused.
    """
    call.output.is_the_result = dry_run
    return prune_now(call, devices, limits, dry_run=dry_run)


def prune_now(
    call: Call, devices: dict[str, Path], limits: RepackLimits = DEFAULT_LIMITS, *, dry_run: bool = False
) -> int:
    """Prune these devices, or all that are known, and show what has gone; returns the exit code."""
    devices = devices or all_devices(call)
    check_devices(devices)
    environment = call.environment(boot=devices, reads=True)
    from producer.retention.pruning.prune import prune as prune_devices

    environment.begin_workers()
    with watched(call) as observer:
        summary = prune_devices(PruneRequest(devices=devices, limits=limits, dry_run=dry_run), observer, environment)
    return ended(call, summary, lambda done: show_prune(done, call.width))
