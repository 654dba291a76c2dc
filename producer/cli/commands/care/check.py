"""``segfleet check``."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.known_devices import all_devices, devices_of
from producer.cli.options.shared import (
    config_option,
    devices_option,
    json_option,
    lost_files_option,
    quiet_option,
    size_between,
    wait_option,
)
from producer.cli.show.ended import ended
from producer.cli.show.live.lost_files import watched_for_losses
from producer.cli.show.rows.summaries import show_check
from producer.configuration.values.ages import parse_age
from producer.requests import CheckRequest
from producer.run.preflight import check_devices
from tasks.errors import UsageError


def subset_of_data(value: str) -> tuple[int, int] | float | int:
    """Reads ``n/t`` as (n, t), ``x%`` as a share between 0 and 1, or a size as a number of bytes."""
    part = re.fullmatch(r"([0-9]+)/([0-9]+)", value)
    if part and 1 <= int(part[1]) <= int(part[2]):
        return int(part[1]), int(part[2])
    percent = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", value)
    if percent and 0 < float(percent[1]) <= 100:
        return float(percent[1]) / 100
    if not percent and not part:
        with suppress(UsageError, click.BadParameter):
            return size_between(1)(value)
    raise click.BadParameter(f"{value!r} must be n/t with 1 <= n <= t, x% with 0 < x <= 100, or a size")


def _age(value: str | timedelta) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_age(value)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


@click.command(cls=FleetCommand)
@click.argument("snapshot", required=False, shell_complete=stored_snapshots)
@devices_option
@click.option("--read-data", is_flag=True, help="Read every stored byte and verify it.")
@click.option(
    "--read-data-subset",
    "subset",
    type=subset_of_data,
    metavar="n/t|x%|SIZE",
    help="Read only part n of t equal parts of the segments, or x per cent or SIZE of what was read longest ago.",
)
@click.option(
    "--older-than",
    type=_age,
    metavar="AGE",
    help="Skip what a check has verified within AGE: 36h, 30d, 12w; 0h skips nothing.",
)
@click.option(
    "--limit-rate",
    type=size_between(1),
    metavar="SIZE",
    help="Read at most SIZE a second from each device.",
)
@wait_option
@lost_files_option
@quiet_option
@json_option
@config_option
@click.pass_obj
def check(
    call: Call,
    snapshot: str | None,
    devices: dict[str, Path],
    read_data: bool,
    subset: tuple[int, int] | float | int | None,
    older_than: timedelta | None,
    limit_rate: int | None,
    lost_files: str | None,
) -> int:
    """Check that the devices hold what the snapshots need: SNAPSHOT, or all.

    Without --read-data, only the presence, size and structure of each segment are checked.  A check
    continues one that was interrupted within the last 7 days.
    """
    devices = devices or (devices_of(call, snapshot) if snapshot else all_devices(call))
    check_devices(devices)
    request = CheckRequest(
        snapshot=snapshot,
        devices=devices,
        read_data=read_data or subset is not None,
        subset=subset if isinstance(subset, tuple) else None,
        share=subset if isinstance(subset, float) else None,
        size_bytes=subset if isinstance(subset, int) else None,
        older_than=older_than,
        limit_bytes_per_s=limit_rate,
    )

    environment = call.environment(boot=request.devices, reads=True)
    from producer.check.check import check as check_devices_hold

    environment.begin_workers()
    with watched_for_losses(call, lost_files) as observer:
        summary = check_devices_hold(request, observer, environment)
    return ended(call, summary, show_check)
