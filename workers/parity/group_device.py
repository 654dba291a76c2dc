"""All devices that a worker reaches as one, on which each object of a group can be read that its parity gives."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.errors import DamagedError
from workers.devices.base import Device, StoredObject
from workers.devices.wrapped import WrappedDevice
from workers.parity.rebuilt import RebuiltObject


class GroupDevice(WrappedDevice):
    """For reading: ``open`` takes the keys of objects alone."""

    def __init__(self, group_id: str, devices: Sequence[Device]) -> None:
        """``devices``: those that are there.  Raises DamagedError when there is none."""
        if not devices:
            raise DamagedError(f"no device of group {group_id} is there")
        super().__init__(devices[0])
        self._group_id = group_id
        self._devices = devices

    def open(self, key: str) -> StoredObject | None:
        """Raises DamagedError when the object cannot be had from the group."""
        return RebuiltObject(self._group_id, key.rpartition("/")[2].removesuffix(".seg"), self._devices)
