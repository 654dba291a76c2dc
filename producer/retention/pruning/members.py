"""The devices of a prune as others see them: as members of a run, and as targets of copies."""

from __future__ import annotations

from producer.pool.copies import CopyTarget
from producer.pool.members import Member
from producer.retention.pruning.devices import PrunedDevice


def target_of(device: PrunedDevice) -> CopyTarget:
    row, room_bytes = device.row, device.room_bytes
    return CopyTarget(name=device.name, device_id=row.device_id, load_bytes=0, room_bytes=room_bytes, site=row.site)


def member_of(device: PrunedDevice, copied_bytes: int = 0) -> Member:
    row = device.row
    return Member(
        name=device.name,
        device_id=row.device_id,
        epoch=row.epoch,
        state="live",
        capacity_bytes=row.capacity_bytes,
        free_bytes=max(0, device.room_bytes - copied_bytes),
    )
