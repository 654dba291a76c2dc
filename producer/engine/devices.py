"""What each device is now: asked, not remembered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from producer.catalog.rows import DeviceRow, DeviceState
from producer.engine.environment import Environment
from producer.engine.session import open_session
from producer.engine.survey import Survey
from producer.observer import Observer
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


def survey(devices: Mapping[str, Path], observer: Observer, environment: Environment) -> list[DeviceRow]:
    """Ask every device; changes nothing, neither on the devices nor in the catalog.

    Raises LockedError, BrokerError, and DeviceError when a worker cannot even be started.
    """
    with open_session(
        devices=devices, sources={}, targets={}, purpose="devices", observer=observer, environment=environment
    ) as session:
        reports = Survey(session).wait()
        known = {row.device_id: row for row in session.catalog.devices()}
        last = {name: session.catalog.device_by_name(name) for name in devices}
    return [_row(name, path, reports[name], known, last[name]) for name, path in sorted(devices.items())]


def _row(
    name: str, path: Path, report: DeviceReport, known: Mapping[str, DeviceRow], last: DeviceRow | None
) -> DeviceRow:
    remembered = known.get(report.device_id)
    state, reason = _STATES[report.condition], report.detail
    remembers = last is not None and last.path == str(path) and last.capacity_bytes != report.capacity_bytes
    if report.condition == "empty" and remembers:
        state, reason = "absent", "the folder is empty; is the device mounted?"
    elif report.condition == "empty":
        reason = "empty; the next backup takes it in"
    since = remembered.since if remembered is not None and remembered.state == state else datetime.now(UTC)
    return DeviceRow(
        name=name,
        device_id=report.device_id,
        pool_id=report.pool_id,
        state=state,
        reason=reason,
        since=since,
        capacity_bytes=report.capacity_bytes,
        free_bytes=report.free_bytes,
        epoch=remembered.epoch if remembered is not None else 0,
        path=str(path),
    )
