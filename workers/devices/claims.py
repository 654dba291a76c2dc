"""Claims: who stores a snapshot, written to a device before the first object (docs/manifest.md)."""

from __future__ import annotations

import json

from tasks.orders import StoreSegment
from workers.devices.base import Device
from workers.devices.keys import manifest_key

FORMAT_VERSION = 1


class Claims:
    """Puts each claim once; a file that is there already stays as it is."""

    def __init__(self) -> None:
        self._made: set[tuple[str, str]] = set()

    def put(self, order: StoreSegment, device: Device) -> None:
        """Raises DeviceError, DeviceFullError."""
        claimed = (order.device_id, order.snapshot_id)
        if not order.catalog_id or claimed in self._made:
            return
        key = manifest_key(f"{order.snapshot_id}.claim")
        if not _is_there(device, key):
            with device.put(key) as upload:
                upload.write(_encoded(order))
                upload.commit()
        self._made.add(claimed)


def _is_there(device: Device, key: str) -> bool:
    stored = device.open(key)
    if stored is None:
        return False
    with stored:
        return True


def _encoded(order: StoreSegment) -> bytes:
    claim = {
        "format_version": FORMAT_VERSION,
        "snapshot_id": order.snapshot_id,
        "catalog_id": order.catalog_id,
        "volume": order.volume,
    }
    return (json.dumps(claim, indent=2) + "\n").encode("ascii")
