"""``segfleet schedule add``."""

from __future__ import annotations

from typing import Any, get_args

import click

from producer.catalog.tables.reservations import IfBusy
from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.backup import request_from, storing_options
from producer.cli.show.json_lines import write_row
from producer.cli.show.times import rfc3339
from tasks.errors import UsageError


def _local_zone() -> str:
    """The IANA name of this machine's time zone."""
    import tzlocal  # 10 ms; only this command needs it

    try:
        return tzlocal.get_localzone_name() or "UTC"
    except (LookupError, ValueError):  # TZ or /etc/localtime is something of its own
        return "UTC"


@click.command(cls=FleetCommand)
@click.argument("volume")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option(
    "--cron", required=True, metavar="LINE", help='Minute, hour, day of month, month, day of week: "0 2 * * *".'
)
@click.option(
    "--tz",
    "timezone",
    default=_local_zone,
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
@storing_options
@click.pass_obj
def add(
    call: Call,
    /,
    volume: str,
    sources: tuple[str, ...],
    cron: str,
    timezone: str,
    catch_up: bool,
    overlap: IfBusy,
    **choices: Any,
) -> None:
    """Back up SOURCEs to VOLUME at set times, with the options of `backup`.

    Without SOURCE, the [sources.VOLUME] of the configuration is backed up.
    """
    if not sources and volume not in call.configuration.sources:
        known = ", ".join(sorted(call.configuration.sources)) or "none"
        raise UsageError(
            f"volume {volume} has no source",
            hint=f"name a SOURCE after the volume; sources in the configuration: {known}",
        )
    request = request_from(call, sources=sources or (volume,), volume=volume, **choices)

    from producer.schedule.reserve import reserve

    with opened_catalog(call) as catalog:
        row = reserve(
            catalog,
            request,
            cron=cron,
            timezone=timezone,
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
        click.echo(f"reservation {row.reservation_id[:8]} of volume {row.volume}: next run {rfc3339(row.next_due)}")
