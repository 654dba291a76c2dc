"""Runs a claimed reservation: the same backup that the command line makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from producer.catalog.tables.reservations import Outcome, ReservationRow
from producer.run.interrupt import Sigterm
from producer.schedule.scheduler import Scheduler
from producer.schedule.timetable import Timetable
from producer.summaries import BackupSummary
from tasks.errors import (
    BrokerError,
    CatalogError,
    DeviceError,
    DeviceFullError,
    InterruptedRun,
    LockedError,
    SegfleetError,
)

BackUp = Callable[[], BackupSummary]


def run_reservation(row: ReservationRow, scheduler: Scheduler, back_up: BackUp) -> BackupSummary | SegfleetError:
    """Run ``back_up``, which does what ``row`` asks for, and record how it ended.

    Returns the summary, or the error that ended it: trouble with one reservation must not keep others from running.
    Raises InterruptedRun and KeyboardInterrupt, after recording them.
    """
    try:
        # Else nobody could rely on its next time.
        Timetable(row.cron, row.timezone)
        summary = back_up()
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
    scheduler.ended(row, *_outcome(summary))
    return summary


def _may_pass(error: SegfleetError) -> bool:
    """Agents, disks, the broker or the database may be back in a minute; nobody makes room on a full device by then."""
    return isinstance(error, BrokerError | CatalogError | DeviceError) and not isinstance(error, DeviceFullError)


def _break_off(row: ReservationRow, scheduler: Scheduler, *, by_sigterm: bool) -> None:
    """Ctrl-C ends the run.  SIGTERM ends only the process: its manager or host is about to restart."""
    if by_sigterm:
        scheduler.give_back(row)
    else:
        scheduler.ended(row, "interrupted", "interrupted by Ctrl-C")


def _give_way(row: ReservationRow, scheduler: Scheduler, error: LockedError) -> None:
    """Another run took the volume, or a device, first."""
    if row.if_busy == "queue":
        scheduler.postpone(row)
    else:
        scheduler.ended(row, "skipped", error.message)


def _outcome(summary: BackupSummary) -> tuple[Outcome, str]:
    if summary.exit_code == 0:
        return "done", ""
    return "partial", f"{summary.errors} files or folders could not be backed up as they are"
