"""``segfleet restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.commands.restore.restore_raw_volume import restore_raw_volume
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import files, stored_snapshots
from producer.cli.options.known_devices import devices_of
from producer.cli.options.shared import (
    config_option,
    devices_option,
    json_option,
    lost_files_option,
    nice_option,
    quiet_option,
    threads_option,
    wait_option,
)
from producer.cli.options.sources.paths import absolute
from producer.cli.show.ended import ended
from producer.cli.show.json_lines import write_summary
from producer.cli.show.live.lost_files import watched_for_losses
from producer.cli.show.rows.summaries import show_restore
from producer.host.scouting.looks import look
from producer.observer import Observer
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.run.environment import Environment
from producer.run.preflight import check_devices, check_proc, check_target
from tasks.errors import UsageError
from tasks.orders import Overwrite


def target_path(call: Call, target: str) -> Path:
    """The folder of this host that ``--target`` means: that of a ``[targets.NAME]``, else the path itself."""
    table = call.configuration.targets.get(target)
    return Path(table.path) if table is not None else absolute(target)


def target_name(call: Call, target: str) -> str:
    """What agents know the target by: its name; a path is known to this host alone."""
    return UNNAMED_TARGET if "/" in target or call.broker_url is None else target


@click.command(cls=FleetCommand)
@click.argument("snapshot", metavar="SNAPSHOT[:PATH]", shell_complete=stored_snapshots)
@click.option(
    "--target",
    required=True,
    metavar="DIR",
    shell_complete=files,
    help="Folder to restore into, created if missing; in a fleet the NAME of a [targets.NAME].  For a raw volume: the "
    "image file or block device to write.",
)
@devices_option
@click.option("-i", "--include", multiple=True, metavar="PATTERN", help="Restore only paths that match PATTERN.")
@click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Skip paths that match PATTERN (gitignore).")
@click.option(
    "--overwrite",
    type=click.Choice(get_args(Overwrite)),
    help="What to do with existing files.  [default: the target must be empty]",
)
@click.option(
    "--delete",
    is_flag=True,
    help="Once all else is restored, remove from the restored folders what the snapshot does not have.",
)
@click.option("--verify", is_flag=True, help="Read back all that was restored, and compare it with the snapshot.")
@click.option(
    "--sparse", is_flag=True, help="Turn long runs of zeros into holes, even where the source had written zeros."
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be written, kept and removed; change nothing.")
@click.option("--force", is_flag=True, help="Write a raw volume over an image or block device that is not empty.")
@click.option(
    "--skip-damaged",
    is_flag=True,
    help="Keep large files with missing parts, filled with zeros, and list the parts in NAME.segfleet-missing.",
)
@click.option("--numeric-ids", is_flag=True, help="Set owners by number, even where this host knows their names.")
@threads_option
@nice_option
@wait_option
@lost_files_option
@quiet_option
@json_option
@config_option
@click.pass_obj
def restore(
    call: Call, /, snapshot: str, target: str, dry_run: bool, force: bool, lost_files: str | None, **choices: Any
) -> int:
    """Restore a snapshot, or only PATH in it, from all devices at once.

    SNAPSHOT is "latest" or at least 8 hex digits of an id.  PATH starts with the name of its source.  If that is a raw
    volume (ext2, ext3, ext4, FAT, XFS), SOURCE/PATH extracts files from its image.
    """
    request = _request_from(call, snapshot, target, **choices)
    environment = call.environment(boot=request.devices, reads=True)
    from producer.restore.restore import own_places
    from producer.restore.restore import restore as restore_snapshot

    environment.begin_workers()
    if request.delete:
        request = replace(request, own_places=own_places(look(request.target, Path.resolve), environment))
    of_folders = {"--dry-run": dry_run, "--delete": request.delete, "--verify": request.verify}
    refused = next((option for option, is_given in of_folders.items() if is_given), "")
    path = snapshot.partition(":")[2]
    with watched_for_losses(call, lost_files) as observer:
        summary = restore_raw_volume(
            call, request, observer, path=path, into_folder=target.endswith("/"), force=force, refused=refused
        )
        if summary is None and dry_run:
            return _show_preview(call, request, observer, environment)
        summary = summary or restore_snapshot(request, observer, environment)
    return ended(call, summary, show_restore)


def _request_from(
    call: Call, snapshot: str, target: str, *, devices: dict[str, Path], overwrite: Overwrite | None, **choices: Any
) -> RestoreRequest:
    """``choices``: the other fields of the request.  Raises UsageError for what does not fit together."""
    if choices["delete"] and overwrite is None:
        raise UsageError(
            "--delete needs --overwrite: without it the target must be empty",
            hint="add --overwrite always|if-changed|if-newer|never",
        )
    name, _, path = snapshot.partition(":")
    request = RestoreRequest(
        snapshot=name,
        path=path.strip("/"),
        target=target_path(call, target),
        target_name=target_name(call, target),
        devices=devices or devices_of(call, name),
        overwrite=overwrite,
        **choices,
    )
    if call.broker_url is None:
        check_proc()
    check_target(look(request.target, Path.resolve), check_devices(request.devices))
    return request


def _show_preview(call: Call, request: RestoreRequest, observer: Observer, environment: Environment) -> int:
    from producer.cli.show.rows.preview import show_preview, show_row, write_preview_row
    from producer.restore.preview import preview

    summary = preview(request, observer, environment, write_preview_row if call.json else show_row)
    if call.json:
        write_summary(summary)
    else:
        show_preview(summary)
    return summary.exit_code
