"""``segfleet schedule``: reservations, that is, backups at set times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.schedule.add import add
from producer.cli.commands.schedule.run_due import run_due
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.shared import config_option, json_option, wide_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.reservations import reservation_json, reservation_lines
from producer.cli.show.wrapped import say, warn
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.tables.reservations import ReservationRow


@click.group()
def schedule() -> None:
    """Schedule backups, checks and prunes: add, list and remove reservations, and run what is due.

    Managers run the schedule automatically.  Without a manager, let cron or a systemd timer call
    `segfleet schedule run-due` every five minutes.
    """


schedule.add_command(add)
schedule.add_command(run_due)


@schedule.command("list", cls=FleetCommand)
@wide_option
@json_option
@config_option
@click.pass_obj
def list_(call: Call) -> None:
    """List the reservations with their next and last runs, the next one first."""
    call.output.is_the_result = True
    with opened_catalog(call) as catalog:
        rows = catalog.reservations.all()
    if call.json:
        for row in rows:
            write_row(_json_row(row))
    elif rows:
        for line in reservation_lines(rows, call.width):
            click.echo(line)
    else:
        warn("there are no reservations yet")


@schedule.command(cls=FleetCommand)
@click.argument("name", metavar="VOLUME|ID|check|prune")
@json_option
@config_option
@click.pass_obj
def remove(call: Call, name: str) -> None:
    """Remove all reservations of VOLUME, all checks or prunes, or the one with this ID.

    A run that has started continues.  A [schedules.NAME] is removed from the configuration instead.
    """
    from producer.schedule.asked import called, configuration_of
    from producer.schedule.configured import is_gone
    from producer.schedule.reserve import find_reservations

    with opened_catalog(call) as catalog:
        rows = find_reservations(catalog, name)
        added = [row for row in rows if not configuration_of(row) or is_gone(configuration_of(row))]
        if not added:
            file, schedule = configuration_of(rows[0]), rows[0].request["schedule"]
            raise UsageError(
                f"the schedule of {called(rows[0])} is [schedules.{schedule}] of {file}",
                hint="remove it there; the next run-due, or the manager within seconds, follows the file",
                path=file,
            )
        for row in added:
            if catalog.reservations.remove(row.reservation_id) and call.json:
                write_row(_json_row(row))
            elif not call.json:
                say(f"reservation {row.reservation_id[:8]} of {called(row)} removed")


def _json_row(row: ReservationRow) -> dict[str, Any]:
    return {"message_type": "reservation", **reservation_json(row), "request": row.request}
