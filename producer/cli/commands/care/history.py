"""``segfleet history``: past runs, and how each backup spent its time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import asdict

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_volumes
from producer.cli.options.shared import config_option, json_option, since_option, wide_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import age_of, local_time, rfc3339
from producer.cli.show.wrapped import warn
from producer.configuration.values.ages import oldest_of, parse_age
from producer.configuration.values.sizes import format_size
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.catalog.tables.runs import RunRow
    from producer.catalog.tables.segments.totals import TimingTotals
    from producer.monitor.at_work import Outcome

_RUN_HEADER = (
    *("started", "age", "run", "volume", "snapshot", "took"),
    *("files", "size", "ratio", "rerouted", "retried", "errors", "exit"),
)
_SELDOM = ("rerouted", "retried", "ratio", "snapshot", "files", "took", "size", "age")
_SELDOM_OF_TIMING = ("segments", "size", "total")
_TIMING_HEADER = ("snapshot", "device", "segments", "size", "read", "compress", "write", "sync", "total")

#: What a row takes from the run's summary, under the same names.  Restores and checks have some of it, failed runs
#: none.
_OF_SUMMARY = (
    *("mode", "files", "bytes_source", "bytes_stored", "bytes_restored", "bytes_read", "bytes_freed"),
    *("segments", "segments_rerouted", "segments_retried", "devices", "errors", "strays"),
)


@click.command(cls=FleetCommand)
@click.argument("volume", required=False, shell_complete=known_volumes)
@click.option("--keep", metavar="AGE", help="First remove the runs that are older than AGE, such as 90d, 12w or 2y.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N.")
@since_option
@click.option("--failed", is_flag=True, help="Only those that failed, or were done in part.")
@click.option("--timing", is_flag=True, help="Show how each device's workers spent their time, in seconds.")
@wide_option
@json_option
@config_option
@click.pass_obj
def history(
    call: Call,
    volume: str | None,
    keep: str | None,
    last: int | None,
    since: datetime | None,
    failed: bool,
    timing: bool,
) -> None:
    """List past runs, oldest first: of VOLUME, or all.

    The last 10,000 runs are kept.
    """
    from producer.monitor.at_work import outcomes_of

    before = oldest_of(parse_age(keep), datetime.now(UTC)) if keep is not None else None
    with opened_catalog(call) as catalog:
        if volume is not None:
            _refuse_unknown(catalog, volume)
        if before is not None:
            count = catalog.runs.trim(before, volume)
            warn(f"segfleet: removed {count} runs from the history")
        runs = catalog.runs.all(volume)
        outcomes = outcomes_of(catalog, runs)
        runs = chosen(runs, outcomes, since=since, failed=failed)
        if timing:
            runs = [run for run in runs if run.kind == "backup" and run.snapshot_id]
        runs = runs[:last][::-1]
        timings = {run.run_id: catalog.totals.timings(run.snapshot_id or "") if timing else [] for run in runs}
    if call.json:
        for run in runs:
            write_row(_json_row(run, outcomes[run.run_id], timings[run.run_id] if timing else None))
    elif not runs:
        warn(f"volume {volume} has no runs" if volume else "there are no runs yet")
    elif timing:
        rows = [_timing_cells(run, totals) for run in runs for totals in timings[run.run_id]]
        _print(lines_of(_TIMING_HEADER, rows, right="  >>>>>>>", seldom=_SELDOM_OF_TIMING, width=call.width))
    else:
        cells = [_run_cells(run, outcomes[run.run_id]) for run in runs]
        _print(lines_of(_RUN_HEADER, cells, right="=>= =>>>>>>>>", seldom=_SELDOM, width=call.width))


def _refuse_unknown(catalog: Catalog, volume: str) -> None:
    """A volume with snapshots is known without a run too, as after a rebuild."""
    if catalog.runs.last(1) and not catalog.runs.all(volume) and volume not in catalog.snapshots.volumes():
        raise UsageError(f"there is no run of volume {volume}", hint="segfleet history lists all of them")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def chosen(
    runs: Sequence[RunRow], outcomes: Mapping[str, Outcome], *, since: datetime | None, failed: bool
) -> list[RunRow]:
    """Those that began at ``since`` or later, and those that ended badly; a run that was interrupted has ended so."""
    return [
        run
        for run in runs
        if (since is None or run.started_at >= since) and not (failed and outcomes[run.run_id] in ("done", "running"))
    ]


def _run_cells(run: RunRow, outcome: Outcome) -> tuple[str, ...]:
    took_s, summary = _duration_s(run), run.summary or {}
    ratio = _ratio(summary)
    return (
        local_time(run.started_at),
        age_of(run.started_at),
        run.kind,
        escaped(run.volume),
        (run.snapshot_id or "")[:8],
        "" if took_s is None else f"{took_s:.1f} s",
        str(summary.get("files", "")),
        _size(summary),
        "" if ratio is None else f"{ratio:.2f}",
        *(str(summary.get(name, "")) for name in ("segments_rerouted", "segments_retried", "errors")),
        _exit(run, outcome),
    )


def _exit(run: RunRow, outcome: Outcome) -> str:
    """The exit code; of a run that has none, why."""
    if run.exit_code is not None:
        return str(run.exit_code)
    return outcome if outcome == "running" else "killed"


def _size(summary: dict[str, Any]) -> str:
    """The size of what was backed up or restored, of the segments that a check read, or of what a prune freed."""
    names = ("bytes_source", "bytes_restored", "bytes_read", "bytes_freed")
    return next((format_size(summary[name]) for name in names if name in summary), "")


def _ratio(summary: dict[str, Any]) -> float | None:
    """Source bytes per stored byte, of what the devices store of the snapshot; None if that is nothing.

    Not of all that the snapshot holds: most of a raw volume may lie in segments of earlier ones.
    """
    # Those of a prune have other figures.
    devices = [device for device in (summary.get("devices") or {}).values() if "bytes_stored" in device]
    stored_bytes = sum(device["bytes_stored"] for device in devices)
    return round(sum(device["bytes_source"] for device in devices) / stored_bytes, 2) if stored_bytes else None


def _timing_cells(run: RunRow, totals: TimingTotals) -> tuple[str, ...]:
    spent_s = (totals.read_s, totals.compress_s, totals.write_s, totals.sync_s, totals.total_s)
    return (
        (run.snapshot_id or "")[:8],
        totals.device,
        str(totals.segments_count),
        format_size(totals.bytes_source),
        *(f"{seconds:.2f}" for seconds in spent_s),
    )


def _json_row(run: RunRow, outcome: Outcome, timings: list[TimingTotals] | None) -> dict[str, Any]:
    summary = run.summary or {}
    row: dict[str, Any] = {
        "message_type": "run",
        "run_id": run.run_id,
        "kind": run.kind,
        "volume": run.volume,
        "snapshot_id": run.snapshot_id,
        "host": run.owner_host,
        "started": rfc3339(run.started_at),
        "ended": rfc3339(run.ended_at) if run.ended_at else None,
        "duration_s": _duration_s(run),
        "exit_code": run.exit_code,
        "outcome": outcome,
        "reason": summary.get("error", ""),
        "ratio": _ratio(summary),
        **{name: summary.get(name) for name in _OF_SUMMARY},
    }
    if timings is not None:
        row["timing"] = [asdict(totals) for totals in timings]
    return row


def _duration_s(run: RunRow) -> float | None:
    return round((run.ended_at - run.started_at).total_seconds(), 3) if run.ended_at else None
