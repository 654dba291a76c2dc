"""A run's row in the history."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from msgspec.structs import asdict

from producer.catalog.catalog import Catalog
from producer.catalog.columns import JsonObject
from producer.catalog.tables.runs import RunKind, RunRow
from producer.run.session import RunSession
from producer.summaries import (
    BackupSummary,
    CheckSummary,
    PruneSummary,
    RestoreSummary,
    RewriteSummary,
)
from tasks.errors import InterruptedRun, SegfleetError

Summary = TypeVar("Summary", BackupSummary, RestoreSummary, CheckSummary, PruneSummary, RewriteSummary)


def recorded(session: RunSession, kind: RunKind, volume: str, work: Callable[[], Summary]) -> Summary:
    """Carry out ``work``; the history has its beginning and its end, however it ends.

    A run that only reads works without a history, because its catalog may be read-only.
    """
    if kind != "backup" and (why := session.catalog.why_read_only):
        session.observer.note(f"the history will lack this run: the catalog cannot be written ({why})")
        return work()
    _begin_run(session.catalog, session.run_id, kind, volume)
    if session.log is not None:
        session.log.begin(f"{kind} of volume {volume}" if volume else kind)
    try:
        summary = work()
    except SegfleetError as error:
        _end_run(session, error.exit_code, {"error": error.message})
        raise
    except BaseException as error:
        # What went wrong is raised, also where the history cannot be written any more.
        with suppress(Exception):
            exit_code = InterruptedRun.exit_code if isinstance(error, KeyboardInterrupt) else SegfleetError.exit_code
            _end_run(session, exit_code, {"error": _in_words(error)})
        raise
    snapshot_id = summary.snapshot_id if isinstance(summary, BackupSummary | RestoreSummary) else None
    _end_run(session, summary.exit_code, asdict(summary), snapshot_id=snapshot_id)
    return summary


def record_done(catalog: Catalog, kind: RunKind, volume: str, summary: JsonObject, *, started_at: datetime) -> None:
    """Record a success of something that had no session of its own."""
    run_id = uuid.uuid4().hex
    with catalog.transaction():
        _begin_run(catalog, run_id, kind, volume, started_at=started_at)
        catalog.runs.end(run_id, 0, summary)


def _in_words(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return " ".join(f"internal error: {type(error).__name__}: {error}".split())


def _begin_run(
    catalog: Catalog, run_id: str, kind: RunKind, volume: str, *, started_at: datetime | None = None
) -> None:
    catalog.runs.begin(
        RunRow(
            run_id=run_id,
            kind=kind,
            snapshot_id=None,
            volume=volume,
            owner_host=platform.node(),
            owner_pid=os.getpid(),
            started_at=started_at or datetime.now(UTC),
            ended_at=None,
            exit_code=None,
            summary=None,
        )
    )


def _end_run(session: RunSession, exit_code: int, summary: JsonObject, *, snapshot_id: str | None = None) -> None:
    """Record how the run ended: its summary, and what the broker lost, repeated or let through."""
    kept = {**summary, "strays": session.courier.strays().counts()}
    if session.log is not None:
        error = f": {summary['error']}" if summary.get("error") else ""
        session.log.end(f"ended with exit code {exit_code}{error}")
    session.catalog.runs.end(session.run_id, exit_code, kept, snapshot_id=snapshot_id)
