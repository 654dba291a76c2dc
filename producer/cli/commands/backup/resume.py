"""``segfleet resume`` and ``segfleet retry``: continue an unfinished backup."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.notifying import reported
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.shared import config_option, devices_option, json_option, quiet_option, wait_option
from producer.cli.show.ended import ended
from producer.cli.show.live.lost_files import watched_for_losses
from producer.cli.show.rows.summaries import show_backup


@click.command(cls=FleetCommand)
@click.argument("snapshot", required=False, shell_complete=stored_snapshots)
@devices_option
@wait_option
@quiet_option
@json_option
@config_option
@click.pass_obj
def resume(call: Call, snapshot: str | None, devices: dict[str, Path]) -> int:
    """Continue an interrupted backup: SNAPSHOT, or the last one.

    What is stored stays; files that have changed since are planned again.  Without --device and without devices in the
    configuration, the devices of the interrupted backup are used.
    """
    return _go_on(call, snapshot, devices, failed_only=False)


@click.command(cls=FleetCommand)
@click.argument("snapshot", required=False, shell_complete=stored_snapshots)
@devices_option
@wait_option
@quiet_option
@json_option
@config_option
@click.pass_obj
def retry(call: Call, snapshot: str | None, devices: dict[str, Path]) -> int:
    """Retry the segments that a backup gave up: those of SNAPSHOT, or of the last snapshot that has any.

    Each segment gets the full number of tries again.  Without --device and without devices in the configuration, the
    devices of that backup are used.  When all segments are stored, the snapshot is complete.
    """
    return _go_on(call, snapshot, devices, failed_only=True)


def _go_on(call: Call, snapshot: str | None, devices: dict[str, Path], *, failed_only: bool) -> int:
    from producer.backup.backup import back_up
    from producer.backup.resume import request_to_resume

    with opened_catalog(call) as catalog:
        request = request_to_resume(catalog, snapshot, devices, failed_only=failed_only)
    with watched_for_losses(call, None, has_option=False) as observer:
        environment = call.environment()
        summary = reported(call, request.volume, observer.note, lambda: back_up(request, observer, environment))
    return ended(call, summary, show_backup)
