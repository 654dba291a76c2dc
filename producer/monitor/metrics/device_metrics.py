"""The metrics of devices: state, space, what they hold, and what would be lost with each.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from msgspec import Struct
from prometheus_client.core import Metric

from producer.catalog.tables.devices import DeviceRow, DeviceState
from producer.monitor.metrics.metric_families import Gauge, labelled, of_each
from producer.monitor.space.at_risk import NOTHING
from producer.monitor.survey import Survey
from producer.summaries import DeviceRisk


class _Device(Struct, frozen=True, kw_only=True):
    row: DeviceRow
    bytes_stored: int
    #: None: nobody knows.
    risk: DeviceRisk | None
    checked_at_s: float | None


def of_devices(survey: Survey) -> Iterator[Metric]:
    # Devices of two pools may have one name; the one recorded last comes first.
    newest = list({device.name: device for device in reversed(survey.devices)}.values())[::-1]
    devices = [(row.name, _device(survey, row)) for row in newest]
    yield _states(devices)
    yield from of_each("device", _GAUGES, devices)


def _device(survey: Survey, row: DeviceRow) -> _Device:
    check = survey.sums.device_checks.get(row.device_id)
    return _Device(
        row=row,
        bytes_stored=survey.sums.on_devices.get(row.device_id, 0),
        risk=survey.at_risk.get(row.name, NOTHING) if survey.at_risk is not None else None,
        checked_at_s=check.looked_at.timestamp() if check is not None and check.looked_at is not None else None,
    )


def _states(devices: Sequence[tuple[str, _Device]]) -> Metric:
    samples = [
        ((name, state), float(device.row.state == state)) for name, device in devices for state in get_args(DeviceState)
    ]
    return labelled("segfleet_device_state", "1 for the state that the device is in.", ["device", "state"], samples)


_GAUGES: tuple[Gauge[_Device], ...] = (
    ("state_since_timestamp_seconds", "When it entered its state.", lambda device: device.row.since.timestamp()),
    ("capacity_bytes", "Size of its file system, as of its last run.", lambda device: device.row.capacity_bytes),
    ("free_bytes", "Space left there, as of its last run.", lambda device: device.row.free_bytes),
    ("stored_bytes", "Segments that it holds, copies among them.", lambda device: device.bytes_stored),
    (
        "at_risk_files",
        "Files of the newest snapshots that would be lost with it.",
        lambda device: device.risk.files if device.risk is not None else None,
    ),
    (
        "at_risk_bytes",
        "Bytes of the newest snapshots that would be lost with it.",
        lambda device: device.risk.bytes if device.risk is not None else None,
    ),
    ("last_check_timestamp_seconds", "When a check last looked at it.", lambda device: device.checked_at_s),
)
