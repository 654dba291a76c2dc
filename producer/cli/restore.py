"""``segfleet restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from producer.cli.jsonlines import write_summary
from producer.cli.known_devices import devices_of
from producer.cli.options import absolute, config_option, devices_option, json_option, threads_option
from producer.cli.session import Session
from producer.cli.summaries import show_restore
from producer.cli.watching import watched
from producer.preflight import check_devices, check_target
from producer.requests import RestoreRequest


@click.command()
@click.argument("snapshot", metavar="SNAPSHOT[:PATH]")
@click.option("--target", required=True, metavar="DIR", help="The folder to restore into; made if it is not there.")
@devices_option
@click.option("-i", "--include", multiple=True, metavar="PATTERN", help="Restore only what PATTERN (gitignore) fits.")
@click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Leave out what PATTERN (gitignore) fits.")
@click.option(
    "--overwrite",
    type=click.Choice(["always", "if-changed", "never"]),
    help="What to do with files that are there.  [default: the target must be empty]",
)
@threads_option
@json_option
@config_option
@click.pass_obj
def restore(
    session: Session,
    snapshot: str,
    target: str,
    devices: dict[str, Path],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    overwrite: Literal["always", "if-changed", "never"] | None,
    threads: int | None,
) -> int:
    """Restore a snapshot, or what PATH in it holds, from all devices at once.

    SNAPSHOT is "latest" or 8 hex digits or more of an id.  PATH begins with the name of its source.
    """
    name, _, path = snapshot.partition(":")
    devices = devices or devices_of(session, name)
    request = RestoreRequest(
        snapshot=name,
        path=path.strip("/"),
        target=absolute(target),
        devices=devices,
        include=include,
        exclude=exclude,
        overwrite=overwrite,
        threads=threads,
    )
    real_devices = {device: folder.resolve() for device, folder in devices.items()}
    check_devices(real_devices)
    check_target(request.target.resolve(), real_devices)

    from producer.engine.restore import restore as restore_snapshot

    with watched(session) as observer:
        summary = restore_snapshot(request, observer, session.environment())
    if session.json:
        write_summary(summary)
    else:
        show_restore(summary)
    return summary.exit_code
