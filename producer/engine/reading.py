"""What restore and check share: the snapshot's devices that are there, and which segments cannot be read."""

from __future__ import annotations

from collections.abc import Mapping

from producer.engine.session import Session
from producer.engine.survey import Survey
from producer.observer import Trouble
from tasks.errors import NotADeviceError
from tasks.receipts import DeviceReport


def present_devices(session: Session) -> dict[str, str]:
    """Device id → name, of the named devices that are there with a marker.

    A device that is not is told as a trouble; raises NotADeviceError when none is there.
    """
    reports = Survey(session, may_lose=True).wait()
    present = {report.device_id: name for name, report in reports.items() if _is_readable(report)}
    absent = {name: _why(session.paths, name, report) for name, report in reports.items() if not _is_readable(report)}
    for name, why in absent.items():
        session.observer.trouble(Trouble(code="device-absent", message=f"device {name} is absent: {why}"))
    if not present:
        raise NotADeviceError(
            "no device is there: " + "; ".join(f"{name}: {why}" for name, why in absent.items()),
            hint="mount a device of the snapshot, and name its folder with --device",
        )
    return present


def _is_readable(report: DeviceReport) -> bool:
    """Reading needs a marker and no more: a device that is mounted read-only will do."""
    return report.condition in ("ready", "unwritable") and bool(report.device_id)


def _why(paths: Mapping[str, object], name: str, report: DeviceReport) -> str:
    return report.detail or f"{paths[name]} is {report.condition}"
