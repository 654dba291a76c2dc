"""``segfleet rewrite``."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import asdict

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.choosing import pattern_options, patterns_from
from producer.cli.options.completing import known_volumes, stored_snapshots
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import (
    config_option,
    devices_option,
    json_option,
    quiet_option,
    wait_option,
    wide_option,
)
from producer.cli.show.json_lines import write_row, write_summary
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.rewritten import rewrite_lines
from producer.requests import RewriteRequest
from producer.run.preflight import check_devices
from tasks.errors import UsageError


@click.command(cls=FleetCommand)
@click.argument("snapshots", nargs=-1, metavar="[SNAPSHOT...]", shell_complete=stored_snapshots)
@click.option("--volume", metavar="NAME", help="Rewrite all snapshots of this volume.", shell_complete=known_volumes)
@pattern_options
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be removed; change nothing.")
@devices_option
@wait_option
@quiet_option
@wide_option
@json_option
@config_option
@click.pass_obj
def rewrite(
    call: Call,
    /,
    snapshots: tuple[str, ...],
    volume: str | None,
    dry_run: bool,
    devices: dict[str, Path],
    patterns: tuple[str, ...],
    patterns_any_case: tuple[str, ...],
    exclude_files: tuple[str, ...],
) -> int:
    """Replace SNAPSHOTs with new ones that lack the paths matching a PATTERN.

    Use it to remove what should never have been backed up.  The new snapshots have the time, tags, pin and
    description of the old ones, which are forgotten; `segfleet prune` then deletes what only they held.
    """
    call.output.is_the_result = dry_run
    if bool(snapshots) == (volume is not None):
        raise UsageError("say what to rewrite", hint="name SNAPSHOTs, or give --volume NAME for all of a volume")
    if not all(pattern.strip() for pattern in (*patterns, *patterns_any_case)):
        raise UsageError("a PATTERN is empty, and matches nothing", hint="name what to leave out: -e /keys")
    exclusions = patterns_from(patterns, patterns_any_case, exclude_files)
    if not (exclusions.patterns or exclusions.patterns_any_case):
        raise UsageError("nothing says what to leave out", hint="give -e PATTERN, --iexclude or --exclude-file")
    if volume is not None:
        _refuse_unknown(call, volume)
    devices = devices or all_devices(call)
    if not dry_run:
        check_devices(devices)
    environment = call.environment(boot=() if dry_run else devices, reads=True)
    from producer.retention.rewriting.rewrite import rewrite as rewrite_snapshots

    environment.begin_workers()
    request = RewriteRequest(
        names=snapshots, exclusions=exclusions, devices=devices, volume=volume or "", dry_run=dry_run
    )
    with watched(call) as observer:
        summary = rewrite_snapshots(request, observer, environment)
    if call.json:
        for row in summary.rewritten:
            write_row({"message_type": "rewritten", **asdict(row)})
        write_summary(summary)
    elif call.says(summary.exit_code):
        for line in rewrite_lines(summary, call.width):
            click.echo(line)
    return summary.exit_code


def _refuse_unknown(call: Call, volume: str) -> None:
    with opened_catalog(call) as catalog:
        known = catalog.snapshots.volumes()
    if volume not in known:
        raise UsageError(
            f"there is no snapshot of volume {volume}", hint=f"volumes: {', '.join(sorted(known)) or 'none'}"
        )
