"""The survey as the words and pictures of the page's rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.runs import BriefRun
from producer.configuration.values.ages import format_age
from producer.configuration.values.sizes import format_size
from producer.host.safe_text import escaped
from producer.monitor.at_work import Process, outcome
from producer.monitor.other_runs import OtherRun
from producer.monitor.overview import VolumeStatus
from producer.monitor.page.browse import volume_link
from producer.monitor.page.drawing import bar, strip
from producer.monitor.page.history import DAYS_COUNT, Day, Mark
from producer.monitor.page.rates import Rates
from producer.monitor.running import RunningBackup, RunningDevice
from producer.monitor.survey import Survey


class VolumeCells(Struct, frozen=True, kw_only=True):
    name: str
    state: str
    age: str
    size: str
    stored: str
    ratio: str
    checked: str
    next_due: str
    strip: str
    #: To its snapshots; "" before the first.
    link: str
    #: Of its newest snapshot, as ``segfleet snapshots`` says it.
    protection: str


def volume_cells(
    survey: Survey, row: VolumeStatus, marks: tuple[Mark, ...] | None, history: Sequence[Day]
) -> VolumeCells:
    source_bytes, stored_bytes = survey.sums.of_volumes.get(row.volume, (0, 0))
    return VolumeCells(
        name=escaped(row.volume),
        state=row.phase or ("incomplete" if row.lacking else row.state),
        age=format_age(survey.at - row.good_at) if row.good_at is not None else "never",
        size=format_size(row.sealed.bytes_source) if row.sealed else "",
        stored=format_size(stored_bytes) if stored_bytes else "",
        ratio=f"{source_bytes / stored_bytes:.2f}" if stored_bytes else "",
        checked=_volume_checked(survey, row.volume),
        next_due=_when(row.reservations[0].next_due, survey.at) if row.reservations else "",
        strip=strip(marks or ("none",) * DAYS_COUNT, history[0].date),
        link=volume_link(row.volume) if row.sealed else "",
        protection=found.words if (found := survey.sums.protected.of_volumes.get(row.volume)) is not None else "",
    )


def _volume_checked(survey: Survey, volume: str) -> str:
    """The newest check of it, and whether it read every byte."""
    last = next(iter(survey.volume_checks.get(volume, ())), None)
    if last is None:
        return "never"
    damaged = ", damaged" if last.damaged_count else ""
    return f"{format_age(survey.at - last.checked_at)} ago{', all read' if last.read_data else ''}{damaged}"


def _when(moment: datetime, now: datetime) -> str:
    """In how long, or since when it waits."""
    return f"in {format_age(moment - now)}" if moment > now else f"due for {format_age(now - moment)}"


class RunningCells(Struct, frozen=True, kw_only=True):
    volume: str
    phase: str
    elapsed: str
    left: str
    done: str
    held_by: str
    whole: str
    moved: str
    devices: tuple[BarCells, ...]


class BarCells(Struct, frozen=True, kw_only=True):
    name: str
    state: str
    reason: str
    bar: str
    done: str
    rate: str


def running_cells(survey: Survey, run: RunningBackup, rates: Rates | None) -> RunningCells:
    paces = {device.device: _pace(survey, run, device, rates) for device in run.devices}
    states = {row.name: row for row in reversed(survey.devices)}
    moved = sum(device.rerouted_count for device in run.devices)
    return RunningCells(
        volume=escaped(run.volume),
        phase=run.phase,
        elapsed=format_age(survey.at - run.since),
        left=_left(run, sum(pace or 0 for pace in paces.values())),
        done=f"{format_size(run.bytes_done)} of {format_size(run.bytes_total)}" if run.bytes_total else "",
        held_by=escaped(run.held_by),
        whole=_progress(run.bytes_done, run.bytes_total, "ours", escaped(run.volume)),
        moved=f"{moved} segments have moved to another device" if moved else "",
        devices=tuple(_bar(device, states.get(device.device), paces[device.device]) for device in run.devices),
    )


def _pace(survey: Survey, run: RunningBackup, device: RunningDevice, rates: Rates | None) -> float | None:
    """Bytes a second: of the last minute, else since the plan where all that is stored has been stored since then."""
    seen = rates.bytes_per_s(run.snapshot_id, device.device) if rates is not None else None
    if seen is not None or run.planned_at is None or run.is_resumed:
        return seen
    return device.bytes_done / max(1.0, (survey.at - run.planned_at).total_seconds())


def _left(run: RunningBackup, bytes_per_s: float) -> str:
    if run.phase != "storing" or not bytes_per_s:
        return ""
    return f"about {format_age(timedelta(seconds=(run.bytes_total - run.bytes_done) / bytes_per_s))} left"


def _bar(device: RunningDevice, row: DeviceRow | None, bytes_per_s: float | None) -> BarCells:
    state = row.state if row is not None else "live"
    is_there = state in ("live", "full", "read-only", "suspect")
    # A dead device's bar must not look like one that is done.
    kind = "ours" if is_there else "gone"
    return BarCells(
        name=device.device,
        state=state,
        reason=escaped(row.why) if row is not None else "",
        bar=_progress(device.bytes_done, device.bytes_total, kind, device.device),
        done=f"{format_size(device.bytes_done)} of {format_size(device.bytes_total)}",
        rate=f"{format_size(bytes_per_s)}/s" if bytes_per_s and is_there else "",
    )


def _progress(done: int, total: int, kind: str, name: str) -> str:
    share = done / total if total else 0.0
    return bar([(kind, share)], f"{name}: {share * 100:.0f} %")


class OtherCells(Struct, frozen=True, kw_only=True):
    purpose: str
    elapsed: str
    what: str
    held_by: str


def other_cells(survey: Survey, run: OtherRun) -> OtherCells:
    ids = run.snapshot_ids
    what = f"of snapshot {ids[0][:8]}" if len(ids) == 1 else f"of {len(ids)} snapshots" if ids else ""
    return OtherCells(
        purpose=escaped(run.purpose), elapsed=format_age(survey.at - run.since), what=what, held_by=escaped(run.held_by)
    )


class RunCells(Struct, frozen=True, kw_only=True):
    run_id: str
    started: str
    kind: str
    volume: str
    took: str
    files: str
    stored: str
    errors: str
    outcome: str
    reason: str


def run_cells(run: BriefRun, processes: frozenset[Process]) -> RunCells:
    """``processes``: those at work."""
    figures = run.figures
    moved = (figures.bytes_stored, figures.bytes_restored, figures.bytes_read)
    data_bytes = next((count for count in moved if count is not None), None)
    return RunCells(
        run_id=run.run_id,
        started=f"{run.started_at.astimezone():%Y-%m-%d %H:%M}",
        kind=run.kind,
        volume=escaped(run.volume),
        took=format_age(run.ended_at - run.started_at) if run.ended_at else "",
        files=f"{figures.files:,}" if figures.files is not None else "",
        stored=format_size(data_bytes) if data_bytes is not None else "",
        errors=str(figures.errors or ""),
        outcome=outcome(run, processes),
        reason=escaped(figures.error),
    )
