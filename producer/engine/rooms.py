"""A device, as it reported itself, in the eyes of the plan."""

from __future__ import annotations

from producer.plan import DeviceRoom, reserve_bytes
from producer.requests import PlanOptions


def room_of(name: str, capacity_bytes: int, free_bytes: int, options: PlanOptions) -> DeviceRoom:
    return DeviceRoom(
        name=name,
        capacity_bytes=capacity_bytes,
        free_bytes=free_bytes,
        reserve_bytes=reserve_bytes(capacity_bytes, options.reserves_bytes.get(name, options.reserve_bytes)),
        weight=options.weights.get(name, 1.0),
    )
