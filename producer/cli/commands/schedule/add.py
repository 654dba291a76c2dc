"""``segfleet schedule add``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from producer.catalog.tables.reservations import IfBusy
from producer.cli.call import GIVEN, Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.care.check import subset_of_data
from producer.cli.commands.schedule.upkeep import asked_upkeep, refuse_for_backup
from producer.cli.commands.schedule.words import asked_with
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.backup import storing_options
from producer.cli.options.backup_request import request_from
from producer.cli.options.completing import known_volumes
from producer.cli.options.retention import retention_from, retention_options
from producer.cli.show.json_lines import write_row
from producer.cli.show.times import rfc3339, with_age
from producer.cli.show.wrapped import say

if TYPE_CHECKING:
    from producer.cli.show.json_types.lists import AddedReservationLine


@click.command(cls=FleetCommand)
@click.argument("volume", required=False, shell_complete=known_volumes)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option(
    "--cron", required=True, metavar="LINE", help='Minute, hour, day of month, month, day of week: "0 2 * * *".'
)
@click.option(
    "--tz",
    "timezone",
    show_default="this machine's",
    metavar="ZONE",
    help="Time zone of the cron line.",
)
@click.option(
    "--catch-up/--skip-missed",
    default=True,
    show_default=True,
    help="Run a missed backup once, as soon as possible; or skip it.",
)
@click.option(
    "--overlap",
    type=click.Choice(get_args(IfBusy)),
    default="queue",
    show_default=True,
    help="If the volume is being backed up: wait, or skip this run.",
)
@retention_options
@click.option(
    "--prune",
    "prunes",
    is_flag=True,
    help="After each backup, free the space of what is forgotten; without VOLUME: schedule a prune.",
)
@click.option("--check", "checks", is_flag=True, help="Without VOLUME: schedule a check.")
@click.option("--read-data", is_flag=True, help="With --check: read every stored byte.")
@click.option(
    "--read-data-subset", "subset", type=subset_of_data, metavar="n/t|x%", help="With --check: read a part of the data."
)
@storing_options
@click.pass_context
def add(
    ctx: click.Context,
    /,
    volume: str | None,
    sources: tuple[str, ...],
    cron: str,
    timezone: str | None,
    catch_up: bool,
    overlap: IfBusy,
    prunes: bool,
    checks: bool,
    read_data: bool,
    subset: tuple[int, int] | float | None,
    **choices: Any,
) -> None:
    """Back up SOURCEs to VOLUME at set times, with the options of `backup`.

    Each run takes whatever you do not give here, such as devices, from the configuration at that time.
    Without SOURCE, the sources of [volumes.VOLUME] are backed up, or [sources.VOLUME].

    After each backup, the run forgets what the --keep options, or [volumes.VOLUME.retention], do not keep.

    Without VOLUME, --check or --prune alone schedules a check or prune of everything.
    """
    call: Call = ctx.obj
    if volume is None:
        asked, of_volume = asked_upkeep(ctx.meta[GIVEN], checks=checks, prunes=prunes), ""
    else:
        refuse_for_backup(checks=checks, reads_data=read_data or subset is not None)
        retention_from(choices)
        of_volume = request_from(call, sources=sources, volume=volume, **choices).volume
        asked = asked_with(call, ctx.command.params, ctx.meta[GIVEN] | {"sources": sources}, ctx.params)

    from producer.schedule.reserve import reserve
    from producer.schedule.timetable import local_zone

    with opened_catalog(call) as catalog:
        row = reserve(
            catalog,
            of_volume,
            asked,
            cron=cron,
            timezone=timezone or local_zone(),
            if_missed="catch-up" if catch_up else "skip",
            if_busy=overlap,
            manager=call.environment().manager,
        )
    if call.json:
        line: AddedReservationLine = {
            "message_type": "reservation",
            "reservation_id": row.reservation_id,
            "volume": row.volume,
            "kind": asked.kind,
            "next_due": rfc3339(row.next_due),
        }
        write_row(line)
    else:
        what = f"volume {row.volume}" if row.volume else f"a {asked.kind}"
        say(f"reservation {row.reservation_id[:8]} of {what}: next run {with_age(row.next_due)}")
