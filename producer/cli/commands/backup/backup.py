"""``segfleet backup``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.commands.backup.plan import make_dry_run, print_plan
from producer.cli.commands.backup.scanning import begin_to_scan
from producer.cli.elsewhere.fleet_command import BEHIND, FleetCommand
from producer.cli.notifying import did_not_start, reported
from producer.cli.options.backup import stream_and_backup_options
from producer.cli.options.backup_request import request_from, stream_request_from
from producer.cli.options.shared import quiet_option, verbose_option
from producer.cli.options.sources.sources import volume_of
from producer.cli.options.stream import name_of, origin_of, source_of
from producer.cli.show.ended import ended
from producer.cli.show.live.lost_files import watched_for_losses
from producer.cli.show.live.watching import Shown
from producer.cli.show.rows.summaries import show_backup
from producer.cli.show.wrapped import warn
from producer.requests import BackupRequest
from producer.run.preflight import notes_about
from producer.summaries import BackupSummary
from tasks.errors import SegfleetError

if TYPE_CHECKING:
    from producer.backup.streaming.origin import Origin


@click.command(cls=FleetCommand)
@stream_and_backup_options
@click.option("--description", metavar="TEXT", help="A note for people, which `snapshots` shows.")
@quiet_option
@verbose_option
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; store nothing.")
@click.pass_context
def backup(ctx: click.Context, /, **choices: Any) -> int:
    """Back up SOURCEs to all devices at once.

    A SOURCE is a path, or the NAME of a [sources.NAME] in the configuration.  To resume an interrupted backup, run the
    same command again.
    """
    call: Call = ctx.obj
    origin = origin_of(choices, choices["sources"], ctx.meta.get(BEHIND))
    if origin is not None:
        return _back_up_stream(call, origin, choices)
    request = _request(call, choices)
    if choices["dry_run"]:
        call.output.is_the_result = True
        print_plan(call, make_dry_run(call, request))
        return 0

    early_scan = begin_to_scan(call, request)
    environment = replace(call.environment(boot=request.devices), early_scan=early_scan)
    from producer.backup.backup import back_up

    environment.begin_workers()

    def back_up_now(observer: Shown) -> BackupSummary:
        return back_up(request, observer, replace(environment, on_file=observer.file if call.verbose else None))

    return _watch(call, request, back_up_now)


def _request(call: Call, choices: dict[str, Any]) -> BackupRequest:
    """Raises UsageError; where nobody sits at a terminal, people are notified that the backup did not start."""
    try:
        return request_from(call, **choices)
    except SegfleetError as error:
        volume = _volume_meant(call, choices)
        if volume and not (choices["dry_run"] or sys.stderr.isatty()):
            did_not_start(call, volume, error, lambda text: warn(f"segfleet: {text}"))
        raise


def _volume_meant(call: Call, choices: dict[str, Any]) -> str:
    """ "" where the command line does not say."""
    if choices["volume"] or not choices["sources"]:
        return choices["volume"] or ""
    with suppress(SegfleetError):
        return volume_of(choices["sources"], call.configuration, call.asker)
    return ""


def _back_up_stream(call: Call, origin: Origin, choices: dict[str, Any]) -> int:
    request = stream_request_from(call, source_of(name_of(call, choices)), **choices)
    environment = call.environment(boot=request.devices)
    from producer.backup.streaming.streaming import back_up_stream

    environment.begin_workers()
    return _watch(call, request, lambda observer: back_up_stream(request, origin, observer, environment))


def _watch(call: Call, request: BackupRequest, back_up: Callable[[Shown], BackupSummary]) -> int:
    with watched_for_losses(call, None, has_option=False) as observer:
        patterns = (*request.exclusions.patterns, *request.exclusions.patterns_any_case)
        for note in notes_about(request.devices, request.sources, patterns):
            observer.note(note)
        summary = reported(call, request.volume, observer.note, lambda: back_up(observer))
    return ended(call, summary, show_backup)
