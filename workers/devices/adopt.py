"""Turns an empty place into a device of a pool."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.errors import DeviceError, NotADeviceError
from tasks.orders import AdoptDevice
from tasks.receipts import DeviceReport
from workers.devices.base import Device
from workers.devices.marker import FORMAT_VERSION, Marker

_HINTS = {
    "foreign": "name an empty folder, or make one inside it",
    "missing": "make the folder, or mount the device",
    "newer": "use the release of segfleet that made it, or a later one",
    "damaged": "restore segfleet.json from a copy",
}


def adopt(order: AdoptDevice, device: Device, site: str = "") -> DeviceReport:
    """Add an empty device, which stands at ``site``, to the pool; one that already belongs to it is left as it is.

    Raises NotADeviceError for a place that is not empty or belongs to another pool, DeviceError for one that
    cannot be written.  When two workers adopt at once, one wins; the other finds it done or is refused.
    """
    report = device.probe()
    if report.condition == "empty":
        device.write_marker(_new_marker(order, site))
        report = device.probe()
    if report.condition == "unwritable":
        raise DeviceError(f"device {device.name} cannot be written: {report.detail}")
    if report.condition != "ready":
        raise NotADeviceError(f"device {device.name}: {report.detail}", hint=_HINTS.get(report.condition))
    if report.pool_id != order.pool_id:
        raise NotADeviceError(
            f"device {device.name} belongs to another pool ({report.pool_id}, as {report.marker_name})",
            hint="back up to it with the devices of that pool, or name an empty folder",
        )
    return report


def _new_marker(order: AdoptDevice, site: str) -> Marker:
    return Marker(
        format_version=FORMAT_VERSION,
        device_id=order.new_device_id,
        name=order.device,
        pool_id=order.pool_id,
        catalog_id=order.catalog_id,
        site=site,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
