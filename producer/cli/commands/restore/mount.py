"""``segfleet mount``: snapshots as a read-only file system."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.catalog import named_snapshot, opened_catalog
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import config_option, devices_option, wait_option
from producer.cli.options.sources.paths import absolute
from producer.cli.show.counts import counted
from producer.cli.show.live.plain_lines import PlainObserver
from producer.cli.show.wrapped import warn
from producer.run.preflight import check_devices
from tasks.errors import UsageError


@click.command(cls=CommandHere)
@click.argument("words", nargs=-1, required=True, metavar="[SNAPSHOT]... DIR")
@click.option("--allow-other", is_flag=True, help="Let other users in, if the modes of the files allow it.")
@devices_option
@wait_option
@config_option
@click.pass_obj
def mount(call: Call, /, words: tuple[str, ...], allow_other: bool, devices: dict[str, Path]) -> None:
    """Show SNAPSHOTs, or all, as a read-only file system in the empty folder DIR, until Ctrl-C.

    DIR/ids has a folder for each snapshot; DIR/volumes/VOLUME links to them by time, and as "latest".  Data is read
    from the devices when somebody reads a file.  Needs FUSE and the extra segfleet[mount].
    """
    *names, folder = words
    target = absolute(folder)
    with opened_catalog(call) as catalog:
        rows = {row.snapshot_id: row for row in (named_snapshot(catalog, name, devices) for name in names)}
        snapshots = list(rows.values()) or list(catalog.snapshots.all())
    if not snapshots:
        raise UsageError("there is no snapshot to mount", hint="make one first: segfleet backup")
    devices = devices or all_devices(call)
    check_devices(devices)

    from producer.restore.mounted.fuse import unmount_command
    from producer.restore.mounted.mount import mount as mount_snapshots

    def on_mounted() -> None:
        warn(
            f"segfleet: mounted {counted(len(snapshots), 'snapshot')} on {target}; "
            f"unmount with Ctrl-C or {unmount_command(target)}",
        )

    mount_snapshots(
        snapshots,
        target,
        devices,
        PlainObserver(),
        call.environment(reads=True),
        allow_other=allow_other,
        on_mounted=on_mounted,
    )
