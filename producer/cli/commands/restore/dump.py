"""``segfleet dump``: one file, or the image of a raw volume, to standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.known_devices import devices_of
from producer.cli.options.shared import config_option, devices_option, threads_option, wait_option
from producer.cli.show.plain_lines import PlainObserver
from producer.requests import RestoreRequest
from producer.run.preflight import check_devices
from tasks.errors import UsageError


@click.command(cls=FleetCommand)
@click.argument("snapshot")
@click.argument("path", required=False, default="")
@devices_option
@threads_option
@wait_option
@config_option
@click.pass_obj
def dump(call: Call, snapshot: str, path: str, devices: dict[str, Path], threads: int | None) -> None:
    """Write one file of a snapshot to standard output; without PATH, the image of its only raw volume.

    A dump is complete or fails: it never skips damaged or missing data.
    """
    devices = devices or devices_of(call, snapshot)
    check_devices(devices)
    request = RestoreRequest(
        snapshot=snapshot,
        path=path.strip("/") or _only_raw_volume(call, snapshot),
        target=Path(),
        devices=devices,
        threads=threads,
    )

    from producer.restore.dump import dump as dump_snapshot

    # Bars would mix with the bytes on a terminal; notes go to standard error.
    dump_snapshot(request, sys.stdout.buffer, PlainObserver(), call.environment(reads=True))


def _only_raw_volume(call: Call, snapshot: str) -> str:
    with opened_catalog(call) as catalog:
        sources = catalog.snapshots.find(snapshot).sources
    if len(sources) != 1:
        raise UsageError(
            "the snapshot has several sources; PATH is missing", hint="segfleet ls SNAPSHOT shows the paths"
        )
    return sources[0].name
