"""Sorts the segments, and assigns each in that order to the then least-filled device."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Sequence

from producer.plan.rooms import DeviceRoom
from producer.plan.unplaced import UnplacedSegments

#: Segments sorted at once.  Limits the sort's lists to 10 MB; sorted runs are merged as they are read.
_RUN_COUNT = 1 << 18


class NoRoomError(Exception):
    """No device has room for a segment of ``size_bytes``.  Never leaves the planner."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


class Loads:
    """What each device has been assigned so far, in source bytes, and how full that makes it.

    ``costs_bytes`` add a fixed cost for each file to the bytes; levels use the costs, limits use the bytes.
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
        """``run``: bytes of this run; ``free``: fraction of the capacity in use; ``weight``: bytes per weight."""
        if balance == "free":
            used_bytes = [int(room.used_bytes / ratio) for room in rooms]
            return cls(limits_bytes, used_bytes, [max(1, room.capacity_bytes) for room in rooms])
        scales = [room.weight for room in rooms] if balance == "weight" else [1 for _ in rooms]
        return cls(limits_bytes, [0] * len(rooms), scales)

    def __len__(self) -> int:
        return len(self.bytes)

    def level(self, device: int) -> float:
        """How full a device is, compared with the others; exact bytes when all scales are 1."""
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

    Takes 4 bytes per row, and the lists of one run while sorting.
    """
    rows = range(len(weights))
    runs = [
        array("I", sorted(rows[start : start + _RUN_COUNT], key=weights.__getitem__, reverse=descending))
        for start in rows[::_RUN_COUNT]
    ]
    if len(runs) == 1:
        return iter(runs[0])
    return heapq.merge(*runs, key=weights.__getitem__, reverse=descending)


def costs_bytes(segments: UnplacedSegments, file_cost_bytes: int) -> array[int]:
    """Bytes and files of each segment as one number."""
    if not file_cost_bytes:
        return segments.sizes_bytes
    columns = zip(segments.sizes_bytes, segments.files_counts, strict=True)
    return array("q", (size + files * file_cost_bytes for size, files in columns))


def place(segments: UnplacedSegments, loads: Loads, *, file_cost_bytes: int, descending: bool) -> array[int]:
    """Sort the segments; returns the device of each: the then least-filled one that has room for it.

    Ties: of equal segments the earlier row comes first; of equally filled devices the one named first takes it, but a
    file's next piece goes to the one named after the device of its last piece, so that both are read in a restore.
    Reorders ``segments`` and adds to ``loads``.  Raises NoRoomError when a segment has no device.
    """
    unsorted_costs = costs_bytes(segments, file_cost_bytes)
    segments.reorder(array("I", sorted_rows(unsorted_costs, descending=descending)))
    del unsorted_costs
    smallest_bytes = min(segments.sizes_bytes, default=0)
    heap = [(loads.level(device), device) for device in range(len(loads))]
    heapq.heapify(heap)
    devices = array("H")
    last_devices = _LastDevices(segments)
    for row, (size_bytes, cost_bytes) in enumerate(
        zip(segments.sizes_bytes, costs_bytes(segments, file_cost_bytes), strict=True)
    ):
        last_device = last_devices.before(row)
        if last_device is not None:
            _prefer_next(heap, last_device, len(loads))
        device = heap[0][1]
        if loads.room_bytes(device) < size_bytes:
            device = _bring_forward(heap, loads, size_bytes, smallest_bytes)
        loads.add(device, size_bytes, cost_bytes)
        heapq.heapreplace(heap, (loads.level(device), device))
        devices.append(device)
        last_devices.note(row, device)
    return devices


class _LastDevices:
    """For each file of several pieces, the device of its last piece so far."""

    def __init__(self, segments: UnplacedSegments) -> None:
        self._entries = segments.first_entries
        rows = zip(segments.first_entries, segments.offsets_bytes, strict=True)
        #: Files with a piece that does not begin at 0; all others are whole.  None: no piece has a device yet.
        self._devices: dict[int, int | None] = {entry: None for entry, offset_bytes in rows if offset_bytes}

    def before(self, row: int) -> int | None:
        return self._devices.get(self._entries[row])

    def note(self, row: int, device: int) -> None:
        if self._entries[row] in self._devices:
            self._devices[self._entries[row]] = device


def _prefer_next(heap: list[tuple[float, int]], last_device: int, devices_count: int) -> None:
    """Put the one named next after ``last_device``, of all equally least-filled devices, at the heap's head.

    It is a heap again once that one is replaced.
    """
    tied = [entry for entry in heap if entry[0] == heap[0][0]]
    chosen = min(tied, key=lambda entry: (entry[1] - last_device - 1) % devices_count)
    heap.remove(chosen)
    heap.sort()
    heap.insert(0, chosen)


def _bring_forward(heap: list[tuple[float, int]], loads: Loads, size_bytes: int, smallest_bytes: int) -> int:
    """Put the least-filled device that has room at the heap's head; it is a heap again once that one is replaced.

    A device that has no room even for the smallest segment leaves the heap for good.
    """
    fitting = [entry for entry in heap if loads.room_bytes(entry[1]) >= size_bytes]
    if not fitting:
        raise NoRoomError(size_bytes)
    chosen = min(fitting)
    heap[:] = sorted(entry for entry in heap if entry != chosen and loads.room_bytes(entry[1]) >= smallest_bytes)
    heap.insert(0, chosen)
    return chosen[1]
