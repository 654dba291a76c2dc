"""``segfleet backup``."""

from __future__ import annotations

from typing import Any

import click

from producer.cli.call import Call
from producer.cli.commands.backup.plan import make_dry_run, print_plan
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.backup import backup_options, request_from
from producer.cli.show.json_lines import write_summary
from producer.cli.show.summaries import show_backup
from producer.cli.show.watching import watched
from producer.run.preflight import notes_about


@click.command(cls=FleetCommand)
@backup_options
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; store nothing.")
@click.pass_obj
def backup(call: Call, /, dry_run: bool, **choices: Any) -> int:
    """Back up SOURCEs to all devices at once.

    A SOURCE is a path, or the NAME of a [sources.NAME] in the configuration.  To resume an interrupted backup, run the
    same command again.
    """
    request = request_from(call, **choices)
    if dry_run:
        call.output.is_the_result = True
        print_plan(call, make_dry_run(call, request))
        return 0

    environment = call.environment(boot=request.devices)
    from producer.backup.backup import back_up

    with watched(call) as observer:
        patterns = (*request.exclusions.patterns, *request.exclusions.patterns_any_case)
        for note in notes_about(request.devices, request.sources, patterns):
            observer.note(note)
        summary = back_up(request, observer, environment)
    if call.json:
        write_summary(summary)
    else:
        show_backup(summary)
    return summary.exit_code
