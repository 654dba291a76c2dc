"""``segfleet schedule run-due``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from producer.cli.jsonlines import write_error, write_row, write_summary
from producer.cli.options import config_option, json_option
from producer.cli.records import opened_catalog
from producer.cli.safe_text import harmless
from producer.cli.session import Session
from producer.cli.summaries import show_backup
from producer.cli.times import rfc3339
from producer.cli.watching import watched
from producer.locks import is_locked
from tasks.errors import LockedError, SegfleetError

if TYPE_CHECKING:
    from producer.catalog.rows import ReservationRow
    from producer.schedule.scheduler import Scheduler
    from producer.summaries import BackupSummary


@click.command("run-due")
@json_option
@config_option
@click.pass_obj
def run_due(session: Session) -> int:
    """Run now, one after another, what is due and nobody else has started.

    The exit code is 0 when all of it was stored, 3 when something was stored in part, 1 when something failed.
    """
    from producer.schedule.scheduler import Scheduler

    state = session.environment().state
    codes: dict[str, int] = {}
    with opened_catalog(session) as catalog:
        scheduler = Scheduler(catalog, is_busy=lambda volume: is_locked(state, f"volume {volume}"))
        # One claim at a time, so that others may take what is not begun yet; and each reservation once, although a
        # long run may find it due again.
        while claimed := scheduler.claim_due(
            datetime.now(UTC), limit=1, serves=lambda row: row.reservation_id not in codes
        ):
            codes[claimed[0].reservation_id] = _run(session, scheduler, claimed[0])
    return 1 if 1 in codes.values() else max(codes.values(), default=0)


def _run(session: Session, scheduler: Scheduler, row: ReservationRow) -> int:
    from producer.engine.backup import back_up
    from producer.schedule.run import run_reservation

    _announce(session, row)
    with watched(session) as observer:
        result = run_reservation(row, scheduler, lambda request: back_up(request, observer, session.environment()))
    if isinstance(result, SegfleetError):
        _tell(session, result)
        # It runs later, or was to be left out.
        return 0 if isinstance(result, LockedError) else 1
    _show(session, result)
    return result.exit_code


def _announce(session: Session, row: ReservationRow) -> None:
    if session.json:
        write_row(
            {
                "message_type": "due",
                "reservation_id": row.reservation_id,
                "volume": row.volume,
                "due": rfc3339(row.next_due),
            }
        )
    else:
        click.echo(f"volume {row.volume}, due {rfc3339(row.next_due)} (reservation {row.reservation_id[:8]})")


def _tell(session: Session, error: SegfleetError) -> None:
    if session.json:
        write_error(error.code, error.message, error.path or "")
    click.echo(f"segfleet: {harmless(error.message)}", err=True)


def _show(session: Session, summary: BackupSummary) -> None:
    if session.json:
        write_summary(summary)
    else:
        show_backup(summary)
