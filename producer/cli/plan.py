"""``segfleet plan``, which is ``backup --dry-run`` with a picture."""

from __future__ import annotations

from typing import Any

import click

from producer.cli.backup_options import backup_options, request_from
from producer.cli.session import Session
from producer.cli.tables import lines_of
from producer.cli.watching import watched
from producer.requests import BackupRequest
from tasks.sizes import format_size


@click.command()
@backup_options
@click.pass_obj
def plan(session: Session, /, **choices: Any) -> None:
    """Show how SOURCEs would be spread over the devices; store nothing."""
    show_plan(session, request_from(session, **choices))


def show_plan(session: Session, request: BackupRequest) -> None:
    """Print the plan of ``request``."""
    from producer.engine.dry_run import dry_run

    with watched(session) as observer:
        made = dry_run(request, observer, session.environment())
    click.echo(f"threshold {format_size(made.plan.threshold_bytes)}, {made.files_count} files")
    rows = [(device, format_size(load)) for device, load in made.plan.loads_bytes.items()]
    for line in lines_of(("device", "bytes"), rows, right=" >"):
        click.echo(line)
