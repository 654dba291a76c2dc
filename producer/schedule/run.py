"""Runs a claimed reservation: the same backup, check or prune that the command line makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from producer.catalog.tables.reservations import Outcome, ReservationRow
from producer.host.signals import first_signal_held
from producer.run.interrupt import Sigterm
from producer.schedule.scheduler import Scheduler
from producer.schedule.timetable import Timetable
from producer.summaries import BackupSummary, UpkeepSummary
from tasks.errors import (
    BrokerError,
    CatalogError,
    DeviceError,
    DeviceFullError,
    InterruptedRun,
    LockedError,
    SegfleetError,
)

Summary = TypeVar("Summary", BackupSummary, UpkeepSummary)


def run_reservation(row: ReservationRow, scheduler: Scheduler, work: Callable[[], Summary]) -> Summary | SegfleetError:
    """Run ``work``, which does what ``row`` asks for, and record how it ended.

    Returns the summary, or the error that ended it: trouble with one reservation must not keep others from running.
    Raises InterruptedRun and KeyboardInterrupt, after recording them.
    """
    try:
        # Else nobody could rely on its next time.
        Timetable(row.cron, row.timezone)
        summary = work()
    except InterruptedRun as error:
        _break_off(row, scheduler, by_sigterm=error.by_sigterm)
        raise
    except KeyboardInterrupt as error:
        _break_off(row, scheduler, by_sigterm=isinstance(error, Sigterm))
        raise
    except LockedError as error:
        _give_way(row, scheduler, error)
        return error
    except SegfleetError as error:
        scheduler.failed(row, error.message, datetime.now(UTC), may_pass=_may_pass(error))
        return error
    except BaseException as error:
        scheduler.ended(row, "failed", f"internal error: {type(error).__name__}: {error}")
        raise
    _book(row, scheduler, summary)
    return summary


def _book(row: ReservationRow, scheduler: Scheduler, summary: BackupSummary | UpkeepSummary) -> None:
    """Record that the work is done; who ends the process now does not undo that, nor have it done again."""
    try:
        with first_signal_held():
            scheduler.ended(row, *_outcome(summary))
    except KeyboardInterrupt:
        # One signal came just before the first was held, or a second one after it.
        scheduler.ended(row, *_outcome(summary))
        raise


def _may_pass(error: SegfleetError) -> bool:
    """Agents, disks, the broker or the database may be back in a minute; nobody makes room on a full device by then."""
    return isinstance(error, BrokerError | CatalogError | DeviceError) and not isinstance(error, DeviceFullError)


def _break_off(row: ReservationRow, scheduler: Scheduler, *, by_sigterm: bool) -> None:
    """Ctrl-C ends the run.  SIGTERM ends only the process: its manager or host is about to restart."""
    if by_sigterm:
        scheduler.give_back(row)
    else:
        scheduler.stopped(row)


def _give_way(row: ReservationRow, scheduler: Scheduler, error: LockedError) -> None:
    """Another run took the volume, or a device, first."""
    if row.if_busy == "queue":
        scheduler.postpone(row)
    else:
        scheduler.ended(row, "skipped", error.message)


def _outcome(summary: BackupSummary | UpkeepSummary) -> tuple[Outcome, str]:
    if summary.exit_code == 0:
        return "done", ""
    if isinstance(summary, UpkeepSummary):
        return "partial", f"the {summary.kind} ended with exit code {summary.exit_code}: see segfleet history"
    return "partial", f"{summary.errors} files or folders could not be backed up as they are"
