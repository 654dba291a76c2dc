"""``segfleet schedule run-due``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.schedule.bounds import keep_in_bounds
from producer.cli.commands.schedule.upkeep import carry_out
from producer.cli.commands.schedule.words import request_of
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.notifying import look_around, reported
from producer.cli.options.shared import config_option, json_option, quiet_option
from producer.cli.show.json_lines import write_error, write_row, write_summary
from producer.cli.show.live.lost_files import watched_for_losses
from producer.cli.show.rows.summaries import show_backup, show_schedule
from producer.cli.show.times import rfc3339, with_age
from producer.cli.show.wrapped import say, warn
from producer.host.signals import act_on_held_signal
from producer.summaries import BackupSummary, UpkeepSummary, schedule_summary
from tasks.errors import SegfleetError

if TYPE_CHECKING:
    from producer.catalog.tables.reservations import ReservationRow
    from producer.cli.show.json_types.runs import DueLine
    from producer.schedule.scheduler import Scheduler


#: The exit code of what is done in part.
_PARTIAL = 3


@click.command("run-due", cls=FleetCommand)
@quiet_option
@json_option
@config_option
@click.pass_obj
def run_due(call: Call) -> int:
    """Run the due backups, checks and prunes of this host that nobody else has started, one after another.

    Exit code: 0 if everything was stored, 3 if something was stored in part, 1 if something failed.
    """
    from producer.ownership.lock_holder import LockHolder
    from producer.schedule.asked import configuration_of
    from producer.schedule.belongs import belongs_here
    from producer.schedule.configured import follow
    from producer.schedule.scheduler import Scheduler

    environment, started_s, file = call.environment(), time.monotonic(), str(call.configuration_path or "")
    results: dict[str, BackupSummary | UpkeepSummary | SegfleetError] = {}

    def serves(row: ReservationRow) -> bool:
        # Each reservation once, even if it is due again after a long run.
        is_known = configuration_of(row) in ("", file)
        return row.reservation_id not in results and is_known and belongs_here(row, manager=environment.manager)

    with (
        opened_catalog(call) as catalog,
        LockHolder(catalog, environment.catalog, manager=environment.manager) as holder,
    ):
        follow(catalog, call.configuration.schedules, file, manager=environment.manager, note=_note)
        scheduler = Scheduler(holder, note=_note)
        # One claim at a time, so that others can take what has not started yet.
        while claimed := scheduler.claim_due(datetime.now(UTC), limit=1, serves=serves):
            run = _run if claimed[0].volume else _run_upkeep
            results[claimed[0].reservation_id] = run(call, scheduler, claimed[0])
            act_on_held_signal()
    # Where there is no manager, cron calls this every few minutes.
    look_around(call, _note)
    summary = schedule_summary(results.values(), duration_s=round(time.monotonic() - started_s, 3))
    if call.json:
        write_summary(summary)
    elif summary.runs > 1 and call.says(summary.exit_code):
        show_schedule(summary)
    return summary.exit_code


def _run(call: Call, scheduler: Scheduler, row: ReservationRow) -> BackupSummary | SegfleetError:
    from producer.backup.backup import back_up
    from producer.schedule.asked import asked_of
    from producer.schedule.run import run_reservation

    _announce(call, row)
    anew = call
    with watched_for_losses(call, None, has_option=False) as observer:

        def back_up_now() -> BackupSummary:
            nonlocal anew
            request, anew = request_of(asked_of(row), call)
            return back_up(request, observer, anew.environment())

        result = run_reservation(row, scheduler, lambda: reported(call, row.volume, observer.note, back_up_now))
    if isinstance(result, SegfleetError):
        _tell(call, result)
        return result
    _show(call, result)
    is_in_bounds = keep_in_bounds(anew, asked_of(row), row.volume)
    return result if is_in_bounds else replace(result, exit_code=_PARTIAL)


def _run_upkeep(call: Call, scheduler: Scheduler, row: ReservationRow) -> UpkeepSummary | SegfleetError:
    from producer.schedule.asked import asked_of
    from producer.schedule.run import run_reservation

    _announce(call, row)
    result = run_reservation(row, scheduler, lambda: carry_out(asked_of(row), call))
    if isinstance(result, SegfleetError):
        _tell(call, result)
    return result


def _note(text: str) -> None:
    warn(f"segfleet: {text}")


def _announce(call: Call, row: ReservationRow) -> None:
    from producer.schedule.asked import called

    if call.json:
        line: DueLine = {
            "message_type": "due",
            "reservation_id": row.reservation_id,
            "volume": row.volume,
            "due": rfc3339(row.next_due),
        }
        write_row(line)
    elif not call.quiet:
        what = f"volume {row.volume}" if row.volume else called(row)
        say(f"{what}, due {with_age(row.next_due)} (reservation {row.reservation_id[:8]})")


def _tell(call: Call, error: SegfleetError) -> None:
    if call.json:
        write_error(error.code, error.message, error.path or "")
    warn(f"segfleet: {error.message}")


def _show(call: Call, summary: BackupSummary) -> None:
    if call.json:
        write_summary(summary)
    elif call.says(summary.exit_code):
        show_backup(summary)
