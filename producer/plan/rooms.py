"""What a device can take, and the refusal of a backup that does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from producer.configuration.values.sizes import format_size
from producer.requests import PlanOptions
from tasks.errors import DeviceFullError, UsageError

_RESERVE_SHARE = 0.02
_MIN_RESERVE_BYTES = 1024**3
_SMALL_SHARE = 0.1

#: Weights outside are typing errors: no two devices of one pool differ by a factor of a million.
_MIN_WEIGHT, _MAX_WEIGHT = 0.001, 1000.0

#: The next snapshot may compress worse than all earlier ones.
_RATIO_MARGIN = 1.1


class DeviceRoom(Struct, frozen=True, kw_only=True):
    """One device as the plan sees it, in stored bytes.  ``weight`` counts with ``--balance weight`` only."""

    name: str
    capacity_bytes: int
    free_bytes: int
    reserve_bytes: int
    weight: float = 1.0

    @property
    def room_bytes(self) -> int:
        """Stored bytes that the device can still take; never negative."""
        return max(0, self.free_bytes - self.reserve_bytes)

    @property
    def used_bytes(self) -> int:
        return max(0, self.capacity_bytes - self.free_bytes)


def reserve_bytes(capacity_bytes: int, configured_bytes: int | None = None) -> int:
    """The space that stays free on a device: as configured, else 2 % of its capacity and at least 1 GiB.

    A tenth on a device below 10 GiB: the 1 GiB is for the file system itself, which needs less on a small device.
    """
    if configured_bytes is not None:
        return configured_bytes
    least_bytes = min(_MIN_RESERVE_BYTES, int(capacity_bytes * _SMALL_SHARE))
    return max(least_bytes, int(capacity_bytes * _RESERVE_SHARE))


def expected_ratio(snapshots: Sequence[tuple[int, int]]) -> float:
    """Stored bytes to expect for each source byte, from (source, stored) bytes of the volume's last snapshots.

    The worst of them plus a tenth, at most 1.0.  Without snapshots 1.0: no compression is assumed.
    """
    seen = [stored_bytes / source_bytes for source_bytes, stored_bytes in snapshots if source_bytes > 0]
    return min(1.0, max(seen) * _RATIO_MARGIN) if seen else 1.0


def check_rooms(rooms: Sequence[DeviceRoom]) -> None:
    """Raises UsageError: no device, two of one name, negative bytes, an invalid weight."""
    if not rooms:
        raise UsageError("a plan needs at least one device", hint="name one with --device NAME=PATH")
    names = [room.name for room in rooms]
    if len(set(names)) != len(names):
        raise UsageError(f"two devices have the same name: {', '.join(sorted(names))}")
    for room in rooms:
        if min(room.capacity_bytes, room.free_bytes, room.reserve_bytes) < 0:
            raise UsageError(f"device {room.name}: capacity, free and reserved bytes must not be negative")
        if not (math.isfinite(room.weight) and _MIN_WEIGHT <= room.weight <= _MAX_WEIGHT):
            raise UsageError(
                f"device {room.name}: weight {room.weight} is not between {_MIN_WEIGHT} and {_MAX_WEIGHT:g}",
                hint="give a weight in proportion to the device's speed, such as 1 and 2.5",
            )


def limits_bytes(rooms: Sequence[DeviceRoom], ratio: float, block_bytes: int) -> list[int]:
    """Source bytes that each device can take when one source byte becomes ``ratio`` stored bytes.

    0 for a device that cannot take one block: it is not available.
    """
    limits = [room.room_bytes if ratio == 1.0 else int(room.room_bytes / ratio) for room in rooms]
    return [limit if limit >= block_bytes else 0 for limit in limits]


def refusal(rooms: Sequence[DeviceRoom], ratio: float, total_bytes: int, why: str, copies: int = 1) -> DeviceFullError:
    """The error that says what is needed and what each device has, so that the user can check the sum."""
    lines = [
        f"  {room.name}: {format_size(room.free_bytes)} free - {format_size(room.reserve_bytes)} reserve "
        f"= {format_size(room.room_bytes)}"
        for room in rooms
    ]
    room_bytes = sum(room.room_bytes for room in rooms)
    needed_bytes = math.ceil(total_bytes * ratio * copies)
    times = f"{copies} copies of " if copies > 1 else ""
    missing = f", {format_size(needed_bytes - room_bytes)} too little" if needed_bytes > room_bytes else ""
    return DeviceFullError(
        f"{why}: needs {format_size(needed_bytes)} ({times}{format_size(total_bytes)} of files, "
        f"{ratio:.2f} stored bytes expected for each), "
        f"the devices have room for {format_size(room_bytes)}{missing}\n" + "\n".join(lines),
        hint="add a device, free space, lower the reserve, or, if the data compresses, say how well: --expect-ratio 3",
    )


def room_of(name: str, capacity_bytes: int, free_bytes: int, options: PlanOptions) -> DeviceRoom:
    """A device as it reported itself, with the reserve and weight from the options."""
    return DeviceRoom(
        name=name,
        capacity_bytes=capacity_bytes,
        free_bytes=free_bytes,
        reserve_bytes=reserve_bytes(capacity_bytes, options.reserves_bytes.get(name, options.reserve_bytes)),
        weight=options.weights.get(name, 1.0),
    )
