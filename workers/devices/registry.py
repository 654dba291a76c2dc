"""From settings to devices: the one place that knows every adapter."""

from __future__ import annotations

from workers.devices.base import Device
from workers.devices.discarding import DiscardingDevice
from workers.devices.in_turns import DeviceInTurns
from workers.devices.local.device import LocalDevice
from workers.devices.throttled import ThrottledDevice
from workers.settings import DeviceSettings


def open_device(name: str, settings: DeviceSettings) -> Device:
    """The adapter for ``settings``.  Touches nothing: the first use shows whether the device is there."""
    device: Device = DeviceInTurns(LocalDevice(name, settings.path), settings.path)
    if settings.discard:
        device = DiscardingDevice(device)
    if settings.bytes_per_s is not None:
        device = ThrottledDevice(device, settings.bytes_per_s)
    return device
