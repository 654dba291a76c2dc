"""``segfleet forget``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.retention.prune import prune_now
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_volumes, stored_snapshots
from producer.cli.options.known_devices import all_devices
from producer.cli.options.retention import configured_retention, retention_from, retention_options
from producer.cli.options.shared import (
    config_option,
    devices_option,
    json_option,
    quiet_option,
    wait_option,
    wide_option,
)
from producer.cli.show.json_lines import write_error, write_row, write_summary
from producer.cli.show.live.notes import NotesObserver
from producer.cli.show.wrapped import say, warn
from producer.requests import Retention
from producer.summaries import ForgetSummary
from tasks.errors import LockedError, UsageError

if TYPE_CHECKING:
    from producer.retention.decisions import Decision


@click.command(cls=FleetCommand)
@click.argument("snapshots", nargs=-1, metavar="[SNAPSHOT...]", shell_complete=stored_snapshots)
@click.option(
    "--volume",
    metavar="NAME",
    help="Apply the policy to this volume.  [default: to each volume]",
    shell_complete=known_volumes,
)
@retention_options
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be forgotten; change nothing.")
@click.option("--unsafe-allow-remove-all", "allows_all", is_flag=True, help="Allow a volume to lose all its snapshots.")
@click.option("--prune", "prunes", is_flag=True, help="Then free the space of what is forgotten, as `prune` does.")
@devices_option
@wait_option
@quiet_option
@wide_option
@json_option
@config_option
@click.pass_obj
def forget(
    call: Call,
    /,
    snapshots: tuple[str, ...],
    volume: str | None,
    dry_run: bool,
    allows_all: bool,
    prunes: bool,
    devices: dict[str, Path],
    **choices: Any,
) -> int:
    """Forget SNAPSHOTs, or those that a policy does not keep.

    Each --keep option keeps some; what none of them keeps is forgotten.  Without any, each [volumes.NAME.retention] of
    the configuration decides about its volume.  A pinned snapshot is always kept.  Forgotten snapshots are gone for
    good; `segfleet prune`, or --prune, frees the space that only they use.
    """
    started_s = time.monotonic()
    call.output.is_the_result = dry_run
    retention = retention_from(choices)
    _refuse_both(snapshots, volume, retention)
    from producer.retention.forget import ForgetRequest, forget, preview

    told = {} if prunes or dry_run else devices or all_devices(call)
    environment = call.environment(boot=told, reads=bool(told))
    environment.begin_workers()
    request = ForgetRequest(
        names=snapshots,
        devices=told,
        retentions={} if snapshots else _retentions(call, volume, retention, allows_all=allows_all),
        allows_all=allows_all,
    )
    decisions = preview(request, environment) if dry_run else forget(request, NotesObserver(call), environment)
    summary = _summary(decisions, dry_run=dry_run, duration_s=time.monotonic() - started_s)
    _show(call, decisions, summary)
    if not prunes:
        return summary.exit_code
    if dry_run:
        _note("what --prune would free is known once they are forgotten")
        return summary.exit_code
    pruned_code = prune_now(call, devices)
    return summary.exit_code or pruned_code


def _note(text: str) -> None:
    warn(f"segfleet: {text}")


def _refuse_both(snapshots: Sequence[str], volume: str | None, retention: Retention | None) -> None:
    if snapshots and (volume is not None or retention is not None):
        raise UsageError(
            "SNAPSHOTs and a policy exclude each other", hint="name snapshots, or say what to keep with --keep options"
        )


def _retentions(call: Call, volume: str | None, given: Retention | None, *, allows_all: bool) -> dict[str, Retention]:
    """Volume → its policy.  Raises UsageError for an unknown volume, and without any policy."""
    with opened_catalog(call) as catalog:
        known = catalog.snapshots.volumes() | {row.volume for row in catalog.snapshots.all("open")}
    if volume is not None and volume not in known:
        raise UsageError(
            f"there is no snapshot of volume {volume}", hint=f"volumes: {', '.join(sorted(known)) or 'none'}"
        )
    volumes = known if volume is None else {volume}
    if given is not None:
        return dict.fromkeys(volumes, given)
    configured = {name: configured_retention(call.configuration, name) for name in volumes}
    found = {name: retention for name, retention in configured.items() if retention is not None}
    if found:
        return found
    if volume is not None and allows_all:
        return {volume: Retention()}
    raise UsageError(
        "nothing says what to keep",
        hint="name SNAPSHOTs, or give a policy: --keep-daily 7 --keep-monthly 12, or a [volumes.NAME.retention]",
    )


def _summary(decisions: Sequence[Decision], *, dry_run: bool, duration_s: float) -> ForgetSummary:
    in_use_count = sum(kept.is_in_use for decision in decisions for kept in decision.kept)
    return ForgetSummary(
        forgotten=sum(len(decision.forgotten) for decision in decisions),
        kept=sum(len(decision.kept) for decision in decisions),
        in_use=in_use_count,
        unfinished=sum(len(decision.unfinished) for decision in decisions),
        dry_run=dry_run,
        duration_s=round(duration_s, 3),
        exit_code=LockedError.exit_code if in_use_count else 0,
    )


def _show(call: Call, decisions: Sequence[Decision], summary: ForgetSummary) -> None:
    # The rows of a decision are those of the catalog, which a call for --help does not need.
    from producer.cli.show.rows.verdicts import forget_words, verdict_lines, verdict_rows

    in_use = [kept for decision in decisions for kept in decision.kept if kept.is_in_use]
    if call.json:
        for row in verdict_rows(decisions):
            write_row(row)
        for kept in in_use:
            write_error("locked", f"snapshot {kept.row.snapshot_id[:8]} is {kept.reasons[0]}")
        write_summary(summary)
        return
    if call.says(summary.exit_code):
        for line in verdict_lines(decisions, call.width):
            click.echo(line)
        say(forget_words(summary))
    for kept in in_use:
        _note(f"snapshot {kept.row.snapshot_id[:8]} stays: it is {kept.reasons[0]}")
