"""Deletes what a manager says nothing needs, where it may: see :class:`tasks.orders.cleaning.DeleteStored`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tasks.errors import DeviceError, Reason, SegfleetError
from tasks.orders.cleaning import MAX_LISTED, DeleteResult, DeleteStored, KeptFile, ListObjects, ObjectsResult
from workers.devices.base import Device
from workers.devices.keys import SEGMENTS_FOLDER, manifest_key, object_key, parity_key
from workers.devices.marker import Marker
from workers.devices.trouble import UnreadableError

_OBJECT = re.compile(rf"{SEGMENTS_FOLDER}/([0-9a-f]{{2}})/(\1[0-9a-f]{{30}})\.seg")


class AppendOnlyError(SegfleetError):
    """The device's configuration allows no deletion, no matter who asks."""

    code = "append-only"
    reason = Reason.REFUSED
    hint = "take append-only out of the device's table in the configuration of its worker"


class OtherCatalogError(SegfleetError):
    """The device's marker names another catalog."""

    code = "other-catalog"
    reason = Reason.REFUSED
    hint = "delete with the catalog that took the device into its pool"


def delete_stored(
    order: DeleteStored, *, device: Device, marker: Marker, append_only: bool, before_each: Callable[[], None]
) -> DeleteResult:
    """Delete the files one after the other; one that cannot be deleted stays, and is named.

    Those of manifests are gone for good before the first object goes.  Each folder is synced once for all that goes.
    Raises AppendOnlyError, OtherCatalogError, DeviceError when the device goes away, and what ``before_each`` raises.
    """
    if append_only:
        raise AppendOnlyError(f"device {device.name} is append-only: nothing on it is deleted")
    if marker.catalog_id != order.catalog_id:
        raise OtherCatalogError(
            f"device {device.name} was taken into its pool by catalog {marker.catalog_id[:8] or 'of an unknown id'}, "
            f"not by {order.catalog_id[:8]}"
        )
    deleting = _Deleting(device, order.device_id, before_each)
    deleting.delete({name: manifest_key(name) for name in order.manifest_names})
    not_there = deleting.delete({object_id: object_key(object_id) for object_id in order.object_ids})
    # A row of parity has the id of its group, which is no object's.
    deleting.delete({group_id: parity_key(group_id) for group_id in not_there})
    return DeleteResult(
        deleted_count=deleting.deleted_count, bytes_freed=deleting.bytes_freed, kept=tuple(deleting.kept)
    )


class _Deleting:
    def __init__(self, device: Device, device_id: str, before_each: Callable[[], None]) -> None:
        self._device = device
        self._device_id = device_id
        self._before_each = before_each
        self.deleted_count = self.bytes_freed = 0
        self.kept: list[KeptFile] = []

    def delete(self, files: Mapping[str, str]) -> list[str]:
        """``files``: name → key.  Returns the names of those that are not there."""
        not_there: list[str] = []
        for name, key in files.items():
            self._before_each()
            size_bytes = _size_of(self._device, key)
            if size_bytes is None:
                not_there.append(name)
                continue
            why_not = _delete(self._device, key, self._device_id)
            if why_not:
                self.kept.append(KeptFile(name=name, message=why_not))
            else:
                self.deleted_count += 1
                self.bytes_freed += size_bytes
        # Also what an earlier delivery of the order has deleted, but not made durable.
        self._device.settle(files.values())
        return not_there


def list_objects(order: ListObjects, *, device: Device) -> ObjectsResult:
    """The ids of the objects in the folders that begin with the digit; whatever else lies there is passed over."""
    found: list[str] = []
    positions: list[int] = []
    for number in range(16):
        folder = f"{SEGMENTS_FOLDER}/{order.digit}{number:x}"
        keys = device.positions(folder) if order.with_positions else ((key, 0) for key in device.list(folder))
        for key, position in keys:
            if match := _OBJECT.fullmatch(key):
                found.append(match[2])
                positions.append(position)
    if len(found) > MAX_LISTED:
        raise DeviceError(
            f"device {device.name} holds {len(found)} objects under one digit, more than a device can have"
        )
    return ObjectsResult(object_ids=tuple(found), positions=tuple(positions) if order.with_positions else ())


def _delete(device: Device, key: str, device_id: str) -> str:
    """Why the file stays; "" if it is gone.  Raises DeviceError if it is the device that is gone."""
    try:
        device.delete(key)
    except DeviceError as error:
        device.claim(device_id)
        return error.message
    return ""


def _size_of(device: Device, key: str) -> int | None:
    """None where there is no file; 0 of one that cannot be opened, which can be deleted nevertheless."""
    try:
        stored = device.open(key)
    except UnreadableError:
        return 0
    if stored is None:
        return None
    with stored:
        return stored.size_bytes
