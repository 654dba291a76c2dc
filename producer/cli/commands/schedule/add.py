"""``segfleet schedule add``."""

from __future__ import annotations

from typing import Any, get_args

import click

from producer.catalog.tables.reservations import IfBusy
from producer.cli.call import GIVEN, Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.schedule.words import asked_with
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.backup import request_from, storing_options
from producer.cli.options.retention import retention_from, retention_options
from producer.cli.show.json_lines import write_row
from producer.cli.show.times import rfc3339, with_age


@click.command(cls=FleetCommand)
@click.argument("volume")
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
@click.option("--prune", "prunes", is_flag=True, help="Free the space of what is forgotten after a backup.")
@storing_options
@click.pass_context
def add(
    ctx: click.Context,
    /,
    volume: str,
    sources: tuple[str, ...],
    cron: str,
    timezone: str | None,
    catch_up: bool,
    overlap: IfBusy,
    prunes: bool,
    **choices: Any,
) -> None:
    """Back up SOURCEs to VOLUME at set times, with the options of `backup`.

    What is not given here, devices above all, each run takes from the configuration as it is then.
    Without SOURCE, the sources of [volumes.VOLUME] are backed up, or [sources.VOLUME].

    Each run forgets afterwards what the --keep options, or [volumes.VOLUME.retention], do not keep.
    """
    call: Call = ctx.obj
    retention_from(choices)
    request = request_from(call, sources=sources, volume=volume, **choices)
    given = ctx.meta[GIVEN] | {"sources": sources}

    from producer.schedule.reserve import reserve
    from producer.schedule.timetable import local_zone

    with opened_catalog(call) as catalog:
        row = reserve(
            catalog,
            request.volume,
            asked_with(call, ctx.command.params, given, ctx.params),
            cron=cron,
            timezone=timezone or local_zone(),
            if_missed="catch-up" if catch_up else "skip",
            if_busy=overlap,
            manager=call.environment().manager,
        )
    if call.json:
        write_row(
            {
                "message_type": "reservation",
                "reservation_id": row.reservation_id,
                "volume": row.volume,
                "next_due": rfc3339(row.next_due),
            }
        )
    else:
        click.echo(f"reservation {row.reservation_id[:8]} of volume {row.volume}: next run {with_age(row.next_due)}")
