"""What each device is now: asked, and remembered where the last run knew more of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from producer.catalog.tables.devices import DeviceRow, DeviceState
from producer.observer import Observer
from producer.plan import reserve_bytes
from producer.pool.device_reports import ask_for_reports
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
    """Ask every device; changes nothing on them.  The catalog learns which are back.

    A device whose worker ends without an answer is absent.  Raises LockedError, BrokerError.
    """
    with open_session(RunNeeds(devices=devices, purpose="devices"), observer, environment) as session:
        reports = ask_for_reports(session, may_lose=session.paths).wait()
        known = {row.device_id: row for row in session.catalog.devices.all()}
        record_returned(session.catalog, reports.values())
        last = {name: session.catalog.devices.by_name(name) for name in devices}
    return [
        device_row(name, path, reports[name], _recorded(reports[name], path, known, last[name]))
        for name, path in sorted(devices.items())
    ]


def _recorded(
    report: DeviceReport, path: Path, known: Mapping[str, DeviceRow], last: DeviceRow | None
) -> DeviceRow | None:
    """What the catalog has of the device; of a folder without a marker, what it has of the one that was there last."""
    if report.device_id:
        return known.get(report.device_id)
    return last if last is not None and last.path == str(path) else None


def device_row(name: str, path: Path, report: DeviceReport, recorded: DeviceRow | None) -> DeviceRow:
    """The device as it is now: what it says, and what the last run has recorded where that still says more."""
    state, reason = _state_of(report, recorded)
    since = recorded.since if recorded is not None and recorded.state == state else datetime.now(UTC)
    return DeviceRow(
        name=name,
        device_id=report.device_id,
        pool_id=report.pool_id,
        state=state,
        reason=reason,
        since=since,
        capacity_bytes=report.capacity_bytes,
        free_bytes=report.free_bytes,
        epoch=recorded.epoch if recorded is not None else 0,
        path=str(path),
    )


def _state_of(report: DeviceReport, recorded: DeviceRow | None) -> tuple[DeviceState, str]:
    """The state, and why."""
    state, reason = _as_it_says(report, recorded)
    if recorded is None:
        return state, reason
    if recorded.state == "dead" and state in ("absent", "suspect"):
        return "dead", f"{recorded.reason}; now: {reason}"
    if recorded.state == "full" and state == "live" and report.free_bytes <= reserve_bytes(report.capacity_bytes):
        return "full", recorded.reason
    return state, reason


def _as_it_says(report: DeviceReport, recorded: DeviceRow | None) -> tuple[DeviceState, str]:
    if report.condition == "ready" and not report.free_bytes:
        return "full", report.detail
    if report.condition == "empty":
        if recorded is not None and recorded.capacity_bytes != report.capacity_bytes:
            return "absent", "the folder is empty; is the device mounted?"
        return "live", "empty; the next backup takes it in"
    return _STATES[report.condition], report.detail
