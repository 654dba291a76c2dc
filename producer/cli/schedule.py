"""``segfleet schedule``: reservations, that is, backups at set times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from producer.cli.fleet_command import FleetCommand
from producer.cli.jsonlines import write_row
from producer.cli.options import config_option, json_option
from producer.cli.records import opened_catalog
from producer.cli.safe_text import escaped
from producer.cli.schedule_add import add
from producer.cli.schedule_run import run_due
from producer.cli.session import Session
from producer.cli.tables import lines_of
from producer.cli.times import rfc3339

if TYPE_CHECKING:
    from producer.catalog.reservation_rows import ReservationRow

_HEADER = ("id", "volume", "cron", "zone", "next", "last", "outcome", "run by", "why")


@click.group()
def schedule() -> None:
    """Backups at set times: add, list, remove, and run what is due.

    Managers run the schedule by themselves.  Without a manager, have cron or a systemd timer call
    `segfleet schedule run-due` every five minutes.
    """


schedule.add_command(add)
schedule.add_command(run_due)


@schedule.command("list", cls=FleetCommand)
@json_option
@config_option
@click.pass_obj
def list_(session: Session) -> None:
    """List the reservations with their next and last runs, the one that is due first in front."""
    with opened_catalog(session) as catalog:
        rows = catalog.reservations()
    if session.json:
        for row in rows:
            write_row(_json_row(row))
    elif rows:
        for line in lines_of(_HEADER, [_cells(row) for row in rows]):
            click.echo(line)
    else:
        click.echo("there are no reservations yet", err=True)


@schedule.command(cls=FleetCommand)
@click.argument("name", metavar="VOLUME|ID")
@json_option
@config_option
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Remove all reservations of VOLUME, or the one with this ID.  A run that is under way goes on."""
    from producer.schedule.reserve import find_reservations

    with opened_catalog(session) as catalog:
        for row in find_reservations(catalog, name):
            if catalog.remove_reservation(row.reservation_id) and session.json:
                write_row(_json_row(row))
            elif not session.json:
                click.echo(f"reservation {row.reservation_id[:8]} of volume {row.volume} is removed")


def _cells(row: ReservationRow) -> tuple[str, ...]:
    return (
        row.reservation_id[:8],
        row.volume,
        row.cron,
        row.timezone,
        rfc3339(row.next_due) if row.queued_at is None else "queued",
        rfc3339(row.last_due) if row.last_due is not None else "",
        row.last_outcome,
        row.manager or row.host,
        escaped(row.last_message),
    )


def _json_row(row: ReservationRow) -> dict[str, Any]:
    return {
        "message_type": "reservation",
        "reservation_id": row.reservation_id,
        "volume": row.volume,
        "cron": row.cron,
        "timezone": row.timezone,
        "if_missed": row.if_missed,
        "if_busy": row.if_busy,
        "next_due": rfc3339(row.next_due),
        "queued": rfc3339(row.queued_at) if row.queued_at is not None else None,
        "last_due": rfc3339(row.last_due) if row.last_due is not None else None,
        "last_ended": rfc3339(row.last_ended_at) if row.last_ended_at is not None else None,
        "last_outcome": row.last_outcome,
        "last_message": row.last_message,
        "manager": row.manager,
        "host": row.host,
        "request": row.request,
    }
