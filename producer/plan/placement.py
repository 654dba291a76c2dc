"""Sorted order, and each segment in that order to the then least-filled device."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Sequence

from producer.plan.rooms import DeviceRoom
from producer.plan.segments import Segments

#: Segments sorted at once.  Bounds the sort's lists to 10 MB; runs are merged as they are read.
_RUN_COUNT = 1 << 18


class NoRoomError(Exception):
    """No device has room for a segment of ``size_bytes``.  Stays within the plan."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


class Loads:
    """What each device has been given so far, in source bytes, and how filled that makes it.

    ``costs_bytes`` count a file's fixed cost beside its bytes; levels follow them, limits follow the bytes.
    """

    __slots__ = ("bytes", "costs_bytes", "limits_bytes", "scales", "starts_bytes")

    def __init__(self, limits_bytes: Sequence[int], starts_bytes: Sequence[int], scales: Sequence[float]) -> None:
        self.limits_bytes = limits_bytes
        self.starts_bytes = starts_bytes
        self.scales = scales
        self.bytes = [0] * len(limits_bytes)
        self.costs_bytes = [0] * len(limits_bytes)

    @classmethod
    def balanced(cls, balance: str, rooms: Sequence[DeviceRoom], limits_bytes: Sequence[int], ratio: float) -> Loads:
        """``run``: bytes of this run; ``free``: share of the capacity in use; ``weight``: bytes by weight."""
        if balance == "free":
            used_bytes = [int(room.used_bytes / ratio) for room in rooms]
            return cls(limits_bytes, used_bytes, [max(1, room.capacity_bytes) for room in rooms])
        scales = [room.weight for room in rooms] if balance == "weight" else [1 for _ in rooms]
        return cls(limits_bytes, [0] * len(rooms), scales)

    def __len__(self) -> int:
        return len(self.bytes)

    def level(self, device: int) -> float:
        """How filled a device is, to be compared with the others; exact bytes when all scales are 1."""
        filled_bytes = self.starts_bytes[device] + self.costs_bytes[device]
        scale = self.scales[device]
        return filled_bytes if scale == 1 else filled_bytes / scale

    def room_bytes(self, device: int) -> int:
        return self.limits_bytes[device] - self.bytes[device]

    def add(self, device: int, size_bytes: int, cost_bytes: int) -> None:
        self.bytes[device] += size_bytes
        self.costs_bytes[device] += cost_bytes


def sorted_rows(weights: array[int], *, descending: bool) -> Iterator[int]:
    """Row numbers in order of weight; rows of equal weight stay in their own order.

    Holds 4 bytes a row, and one run's lists while sorting.
    """
    rows = range(len(weights))
    runs = [
        array("I", sorted(rows[start : start + _RUN_COUNT], key=weights.__getitem__, reverse=descending))
        for start in rows[::_RUN_COUNT]
    ]
    if len(runs) == 1:
        return iter(runs[0])
    return heapq.merge(*runs, key=weights.__getitem__, reverse=descending)


def costs_bytes(segments: Segments, file_cost_bytes: int) -> array[int]:
    """Bytes and files of each segment as one number."""
    if not file_cost_bytes:
        return segments.sizes_bytes
    columns = zip(segments.sizes_bytes, segments.files_counts, strict=True)
    return array("q", (size + files * file_cost_bytes for size, files in columns))


def place(segments: Segments, loads: Loads, *, file_cost_bytes: int, descending: bool) -> tuple[Segments, array[int]]:
    """The segments in sorted order, and the device of each: the least filled that has room for it.

    Ties: of equal segments the earlier row is first; of equally filled devices the one named first takes it.
    ``loads`` is added to.  Raises NoRoomError when a segment has no device.
    """
    placed, devices = Segments(), array("H")
    costs = costs_bytes(segments, file_cost_bytes)
    heap = [(loads.level(device), device) for device in range(len(loads))]
    heapq.heapify(heap)
    smallest_bytes = min(segments.sizes_bytes, default=0)
    for row in sorted_rows(costs, descending=descending):
        size_bytes = segments.sizes_bytes[row]
        device = _pop_least_filled(heap, loads, size_bytes, smallest_bytes)
        loads.add(device, size_bytes, costs[row])
        heapq.heappush(heap, (loads.level(device), device))
        placed.append_row_of(segments, row)
        devices.append(device)
    return placed, devices


def _pop_least_filled(heap: list[tuple[float, int]], loads: Loads, size_bytes: int, smallest_bytes: int) -> int:
    """Take the least-filled device with room off the heap.  A device without room for anything leaves it for good."""
    passed_over: list[tuple[float, int]] = []
    while heap:
        level_and_device = heapq.heappop(heap)
        room_bytes = loads.room_bytes(level_and_device[1])
        if room_bytes >= size_bytes:
            for entry in passed_over:
                heapq.heappush(heap, entry)
            return level_and_device[1]
        if room_bytes >= smallest_bytes:
            passed_over.append(level_and_device)
    raise NoRoomError(size_bytes)
