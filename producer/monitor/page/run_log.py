"""The log of one run as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from producer.catalog.tables.runs import BriefRun
from producer.host.run_logs import read_log
from producer.host.safe_text import escaped
from producer.monitor.page.render import render
from tasks.errors import UsageError


def log_html(runs: Sequence[BriefRun], logs: Path, run_id: str) -> bytes:
    """``runs``: those that have links; ``logs``: the folder of this host's.  Raises UsageError for another run."""
    run = next((run for run in runs if run.run_id == run_id), None)
    if run is None:
        raise UsageError("this run is not among the last ones", hint="segfleet log shows it")
    return render(
        "log.html",
        title=f"segfleet: log of {run.run_id[:8]}",
        kind=run.kind,
        volume=escaped(run.volume),
        started=f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
        host=escaped(run.owner_host),
        lines="\n".join(map(escaped, read_log(logs, run.run_id) or ())),
        run=run.run_id[:8],
    )
