"""``segfleet plan``, which is ``backup --dry-run`` with a picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.backup import backup_options
from producer.cli.options.backup_request import request_from
from producer.cli.show.json_lines import write_row
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.summaries import compared_line
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say
from producer.host.scouting.looks import look
from producer.requests import BackupRequest
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.backup.dry_run import DryRun


@click.command(cls=FleetCommand)
@backup_options
@click.option(
    "--svg",
    metavar="FILE",
    help="Draw the plan into FILE: one row per device, one box per segment.  - prints the drawing instead of the plan.",
)
@click.pass_obj
def plan(call: Call, /, svg: str | None, **choices: Any) -> None:
    """Show how SOURCEs would be spread over the devices; store nothing."""
    made = make_dry_run(call, request_from(call, **choices))
    if svg == "-":
        click.echo(_drawn(made))
        return
    print_plan(call, made)
    if svg is not None:
        _draw(made, Path(svg))


def make_dry_run(call: Call, request: BackupRequest) -> DryRun:
    """What a backup would do now; raises what a backup raises before it stores anything."""
    from producer.backup.dry_run import dry_run
    from producer.raw.switch import choose_modes

    environment = call.environment(reads=True)
    with watched(call) as observer:
        decided = choose_modes(request, observer.note, has_agents=environment.broker_url is not None)
        return dry_run(decided, observer, environment)


def print_plan(call: Call, made: DryRun) -> None:
    """As text, or as JSON lines."""
    if call.json:
        _write_rows(made)
    else:
        _print(made)


def _print(made: DryRun) -> None:
    from producer.plan.describe import describe
    from producer.plan.text import text_lines

    width = shutil.get_terminal_size().columns
    for line in text_lines(describe(made.plan), lambda entry: escaped(made.path_of(entry)), width, made.sites):
        say(line)
    if made.parent_id:
        counts = made.counts
        say(compared_line(made.parent_id, counts.new, counts.changed, counts.unchanged, counts.moved))


def _write_rows(made: DryRun) -> None:
    from producer.plan.describe import describe
    from producer.plan.rows import json_rows

    description = describe(made.plan)
    wanted = {*made.plan.first_entries, *(item.first_entry for item in description.largest)}
    # In entry order: the plan's own order would decode a part of the listing for nearly every segment.
    paths = {entry: made.path_of(entry) for entry in sorted(wanted)}
    counts = made.counts
    compared = {
        "parent_id": made.parent_id,
        "files_new": counts.new,
        "files_changed": counts.changed,
        "files_unchanged": counts.unchanged,
        "files_moved": counts.moved,
    }
    for row in json_rows(made.plan, description, paths.__getitem__, made.sites):
        write_row(row | compared if row["message_type"] == "summary" else row)


def _drawn(made: DryRun) -> str:
    from producer.plan.svg import draw_svg

    return draw_svg(made.plan, lambda entry: escaped(made.path_of(entry)))


def _draw(made: DryRun, file: Path) -> None:
    drawn = _drawn(made)
    try:
        look(file, lambda file: file.write_text(drawn, encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot write {file}: {error.strerror}", hint="give --svg a file that you can write", path=str(file)
        ) from error
