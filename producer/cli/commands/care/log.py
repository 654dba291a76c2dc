"""``segfleet log``: what a run has reported."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import harmless
from producer.cli.show.times import with_age
from producer.cli.show.wrapped import say
from producer.host.run_logs import read_log
from producer.host.state import open_state
from tasks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from producer.catalog.tables.runs import RunRow
    from producer.monitor.at_work import Outcome


@click.command(cls=FleetCommand)
@click.argument("run", required=False)
@json_option
@config_option
@click.pass_obj
def log(call: Call, run: str | None) -> None:
    """Show what RUN has reported, or the last run: notes, files that could not be read, and how it ended.

    RUN is the beginning of its id, as `history --json` has it, or the name of a volume: its last run.  The logs of the
    last 1,000 runs of a host are kept there.
    """
    from producer.monitor.at_work import outcomes_of

    with opened_catalog(call) as catalog:
        row = chosen(catalog.runs.all(), run)
        ended = _how_it_ended(row, outcomes_of(catalog, [row])[row.run_id])
    lines = read_log(open_state().run_logs_dir, row.run_id)
    if lines is None and row.owner_host == platform.node():
        # A run that has nothing to report makes no file.
        lines = [f"nothing to report; {ended}"]
    elif lines is not None and row.exit_code is None:
        lines = [*lines, ended]
    if lines is None:
        raise UsageError(
            f"this host has no log of run {row.run_id[:8]}",
            hint=f"it ran on {row.owner_host}, {with_age(row.started_at)}; segfleet history shows how it ended",
        )
    if call.json:
        write_row({"message_type": "log", "run_id": row.run_id, "kind": row.kind, "volume": row.volume, "lines": lines})
        return
    say(f"run {row.run_id} on {row.owner_host}")
    for line in lines:
        say(harmless(line))


def _how_it_ended(row: RunRow, outcome: Outcome) -> str:
    if row.exit_code is not None:
        return f"it ended with exit code {row.exit_code}"
    return "it is running" if outcome == "running" else "it was killed"


def chosen(runs: Sequence[RunRow], name: str | None) -> RunRow:
    """Of ``runs``, newest first: the newest, that whose id begins with ``name``, or the newest of that volume.

    Raises UsageError for none, and for several.
    """
    if not runs:
        raise UsageError("there are no runs yet", hint="segfleet backup makes one")
    if name is None:
        return runs[0]
    of_volume = [row for row in runs if row.volume == name]
    found = of_volume[:1] or [row for row in runs if row.run_id.startswith(name.lower())]
    if len(found) != 1:
        what = f"several runs begin with {name}" if found else f"there is no run {name}"
        raise UsageError(what, hint="segfleet history --json lists the ids of all")
    return found[0]
