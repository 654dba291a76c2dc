"""``segfleet backup``."""

from __future__ import annotations

from typing import Any

import click

from producer.cli.backup_options import backup_options, request_from
from producer.cli.fleet_command import FleetCommand
from producer.cli.jsonlines import write_summary
from producer.cli.plan import make_plan, print_plan
from producer.cli.session import Session
from producer.cli.summaries import show_backup
from producer.cli.watching import watched
from producer.preflight import notes_about


@click.command(cls=FleetCommand)
@backup_options
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan and store nothing.")
@click.pass_obj
def backup(session: Session, /, dry_run: bool, **choices: Any) -> int:
    """Back up SOURCEs to all devices at once.

    A SOURCE is a path, or the name of a [sources.NAME] of the configuration.  Run the same command again to go on
    with a backup that was interrupted.
    """
    request = request_from(session, **choices)
    if dry_run:
        print_plan(session, make_plan(session, request))
        return 0

    environment = session.environment(boot=request.devices)
    from producer.engine.backup import back_up

    with watched(session) as observer:
        for note in notes_about(request.devices):
            observer.note(note)
        summary = back_up(request, observer, environment)
    if session.json:
        write_summary(summary)
    else:
        show_backup(summary)
    return summary.exit_code
