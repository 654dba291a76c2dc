"""The devices of one worker: opened when an order first names them, claimed by their markers, and swept."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec.structs import replace

from tasks.errors import DeviceError, NotADeviceError, OutOfReachError
from tasks.groups import DeviceAt, GroupAt
from tasks.orders import Order, ReadSegment, RestoreSegment
from tasks.orders.copying import CopyObject
from tasks.orders.repacking import RepackObject
from tasks.receipts import DeviceReport
from workers.devices.base import Device
from workers.devices.manifests import generation_on
from workers.devices.registry import open_device
from workers.parity.group_device import GroupDevice
from workers.process.refusals import NotConfiguredError
from workers.settings import WorkerSettings

log = logging.getLogger("segfleet.devices")


class OwnDevices:
    """Opens nothing before it is asked.  Raises NotConfiguredError for devices that the settings do not name."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._devices: dict[str, Device] = {}
        self._swept: set[str] = set()

    def named(self, name: str) -> Device:
        device = self._devices.get(name)
        if device is None:
            settings = self._settings.devices.get(name)
            if settings is None:
                raise NotConfiguredError(f"this worker does not serve device {name}")
            device = self._devices[name] = open_device(name, settings)
        return device

    def claimed(self, order: Order) -> Device:
        """The order's device, after a check of its marker."""
        device = self.named(order.device)
        if not order.device_id:
            raise NotADeviceError(f"device {order.device} has no id yet; adopt it first")
        device.claim(order.device_id)
        if device.name not in self._swept:
            self.sweep(device)
        return device

    def to_read(self, order: RestoreSegment | ReadSegment) -> Device:
        """Where the order's object is read: on its device, or from its group."""
        # A group needs no device of its own: that may be the one that has gone.
        return self.claimed(order) if order.group is None else self._group(order.group)

    def to_copy_from(self, order: CopyObject) -> Device:
        """Raises OutOfReachError."""
        return self.other(order) if order.group is None else self._group(order.group)

    def other(self, order: CopyObject | RepackObject) -> Device:
        """The one that the order takes from, which may be its own.  Raises OutOfReachError."""
        if order.from_device_id == order.device_id:
            return self.claimed(order)
        try:
            return self._named_as(order.from_device, order.from_device_id)
        except (NotConfiguredError, DeviceError) as error:
            raise OutOfReachError(str(error)) from error

    def reachable(self, devices: Sequence[DeviceAt]) -> list[Device]:
        """Those of the devices that this worker has and that are there."""
        found: list[Device] = []
        for one in devices:
            try:
                found.append(self._named_as(one.name, one.device_id))
            except (NotConfiguredError, DeviceError) as error:
                log.info("device %s is not read: %s", one.name, error)
        return found

    def with_rights(self, name: str, report: DeviceReport) -> DeviceReport:
        """What decides who may delete there, and what the configuration says about the device."""
        settings = self._settings.devices[name]
        report = replace(report, append_only=settings.append_only, site=settings.site or report.site)
        if not report.catalog_id:
            return report
        device = self._named_as(name, report.device_id)
        return replace(report, generation=generation_on(device, report.catalog_id))

    def sweep(self, device: Device) -> str:
        """Remove what other workers of this device left half-written when they died; returns what could not be."""
        self._swept.add(device.name)
        try:
            swept = device.sweep()
        except DeviceError as error:
            # A read-only device can still be restored from.
            log.info("not swept: %s", error)
            return ""
        log.info("device %s: %d unfinished files removed", device.name, swept.removed_count)
        return swept.left

    def _named_as(self, name: str, device_id: str) -> Device:
        """The device, after a check that it is the one with this id."""
        device = self.named(name)
        device.claim(device_id)
        return device

    def _group(self, group: GroupAt) -> Device:
        return GroupDevice(group.group_id, self.reachable(group.devices))
