"""The summaries of scheduled runs."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from producer.summaries.backup import BackupSummary
from tasks.errors import LockedError, SegfleetError


class UpkeepSummary(Struct, frozen=True, kw_only=True):
    """A scheduled check or prune; the history has what it found."""

    kind: str
    exit_code: int


class ScheduleSummary(Struct, frozen=True, kw_only=True):
    """Everything that one ``run-due`` ran.  ``exit_code``: 0 all stored; 3 some in part; 1 some failed."""

    runs: int
    done: int
    partial: int
    failed: int
    #: Locked by another run of the volume or device: they run later or are skipped, as the reservation says.
    locked: int
    duration_s: float
    exit_code: int


def schedule_summary(
    results: Iterable[BackupSummary | UpkeepSummary | SegfleetError], *, duration_s: float
) -> ScheduleSummary:
    """The totals over the runs, successful or failed."""
    results = list(results)
    locked = sum(isinstance(result, LockedError) for result in results)
    failed = sum(isinstance(result, SegfleetError) for result in results) - locked
    partial = sum(not isinstance(result, SegfleetError) and result.exit_code != 0 for result in results)
    return ScheduleSummary(
        runs=len(results),
        done=len(results) - locked - failed - partial,
        partial=partial,
        failed=failed,
        locked=locked,
        duration_s=duration_s,
        exit_code=1 if failed else 3 if partial else 0,
    )
