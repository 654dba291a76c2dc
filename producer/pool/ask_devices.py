"""The state of each device now: what it answers, and what the last run recorded where that says more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from producer.catalog.tables.devices import DeviceRow, DeviceState, without_replaced
from producer.observer import Observer
from producer.plan import reserve_bytes
from producer.pool.decide import is_read_only
from producer.pool.device_reports import ask_for_reports
from producer.pool.known import known_devices, why_not_new
from producer.pool.manifests.unknown_snapshots import tell_unknown_snapshots
from producer.pool.members import record_returned
from producer.run.environment import Environment
from producer.run.session import RunNeeds, open_session
from tasks.receipts import DeviceCondition, DeviceReport

#: How a device's condition shows in the list.  An empty folder is live: the next backup takes it in.
_STATES: dict[DeviceCondition, DeviceState] = {
    "ready": "live",
    "empty": "live",
    "foreign": "suspect",
    "missing": "absent",
    "unwritable": "suspect",
    "newer": "suspect",
    "damaged": "suspect",
}


def ask_devices(devices: Mapping[str, Path], observer: Observer, environment: Environment) -> list[DeviceRow]:
    """Ask every device; changes nothing on them.  The catalog learns which are back.  Those that are lost come last.

    A device whose worker ends without an answer is absent.  Raises LockedError, BrokerError.
    """
    with open_session(RunNeeds(devices=devices, purpose="devices"), observer, environment) as session:
        reports = ask_for_reports(session, may_lose=session.paths).wait()
        rows, known = session.catalog.devices.last_recorded_first(), known_devices(session.catalog)
        record_returned(session.catalog, reports.values())
        if not session.catalog.why_read_only:
            session.catalog.devices.set_rotating(environment.rotating)
        tell_unknown_snapshots(
            session, {report.device_id: name for name, report in reports.items() if report.condition == "ready"}
        )
    asked = [
        device_row(
            name,
            path,
            reports[name],
            _recorded(name, path, reports[name], rows),
            away=why_not_new(name, path, reports, known),
            rotating=environment.rotating.get(name),
        )
        for name, path in sorted(devices.items())
    ]
    return [*asked, *_lost_beside(asked, rows)]


def _lost_beside(asked: Sequence[DeviceRow], rows: Iterable[DeviceRow]) -> list[DeviceRow]:
    """The devices of the same pools that are lost: nobody can be asked about them."""
    pools, there = {row.pool_id for row in asked}, {row.device_id for row in asked}
    return [
        row
        for row in without_replaced(rows)
        if row.state == "lost" and row.pool_id in pools and row.device_id not in there
    ]


def _recorded(name: str, path: Path, report: DeviceReport, rows: Iterable[DeviceRow]) -> DeviceRow | None:
    """The catalog's row of the device; for a folder without a marker, that of the device that was there last."""
    if report.device_id:
        return next((row for row in rows if row.device_id == report.device_id), None)
    return next((row for row in rows if row.name == name and row.path == str(path)), None)


def device_row(
    name: str,
    path: Path,
    report: DeviceReport,
    recorded: DeviceRow | None,
    *,
    away: str = "",
    rotating: bool | None = None,
) -> DeviceRow:
    """The device as it is now: what it says, and what the last run has recorded where that still says more.

    ``away``: why its empty folder is that of a device that is not mounted; "" if it is not.  ``rotating``: None where
    the configuration does not have it.
    """
    state, reason = _state_of(report, recorded, away)
    # Without its marker a folder shows nothing of the device, only of the file system that is there instead.
    shown = report if report.device_id or (recorded is None and not away) else recorded
    since = recorded.since if recorded is not None and recorded.state == state else datetime.now(UTC)
    return DeviceRow(
        name=name,
        device_id=report.device_id,
        pool_id=report.pool_id,
        state=state,
        reason=reason,
        since=since,
        capacity_bytes=shown.capacity_bytes if shown is not None else 0,
        free_bytes=shown.free_bytes if shown is not None else 0,
        epoch=recorded.epoch if recorded is not None else 0,
        path=str(path),
        mount_point=report.mount_point,
        site=report.site or (recorded.site if recorded is not None else ""),
        rotating=rotating if rotating is not None else recorded is not None and recorded.rotating,
    )


def _state_of(report: DeviceReport, recorded: DeviceRow | None, away: str) -> tuple[DeviceState, str]:
    """The state, and why."""
    state, reason = _as_it_says(report, away)
    if recorded is None:
        return state, reason
    if recorded.state == "dead" and state in ("absent", "suspect"):
        return "dead", f"{recorded.reason}; now: {reason}"
    if recorded.state == "full" and state == "live" and report.free_bytes <= reserve_bytes(report.capacity_bytes):
        return "full", recorded.reason
    return state, reason


def _as_it_says(report: DeviceReport, away: str) -> tuple[DeviceState, str]:
    if report.condition == "ready" and not report.free_bytes:
        return "full", report.detail
    if report.condition == "empty":
        return ("absent", away) if away else ("live", "empty; the next backup makes a device of it")
    return ("read-only" if is_read_only(report) else _STATES[report.condition]), report.detail
