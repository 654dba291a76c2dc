"""Gives the segments of a lost device to the others.  Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from tasks.errors import DeviceFullError


def reassign(
    segments: Iterable[tuple[int, int]], loads_bytes: Mapping[str, int], free_bytes: Mapping[str, int]
) -> dict[int, str]:
    """Segment number → the device that takes it: in the plan's order, each to the then least-filled one.

    ``segments`` are (number, expected stored bytes), in the plan's order; ``loads_bytes`` what each live device holds
    or is to hold of this run; ``free_bytes`` what it can still take beyond that.  Ties go by name.
    Raises DeviceFullError when a segment fits on none of them.
    """
    heap = [(load_bytes, device) for device, load_bytes in loads_bytes.items()]
    heapq.heapify(heap)
    left_bytes = dict(free_bytes)
    taken: dict[int, str] = {}
    for number, size_bytes in segments:
        passed_over = []
        while heap and left_bytes[heap[0][1]] < size_bytes:
            passed_over.append(heapq.heappop(heap))
        if not heap:
            room = ", ".join(f"{device} {free} bytes" for device, free in sorted(left_bytes.items()))
            raise DeviceFullError(
                f"segment {number} of {size_bytes} bytes fits on no device that is left (free: {room})"
            )
        load_bytes, device = heap[0]
        taken[number] = device
        left_bytes[device] -= size_bytes
        heapq.heapreplace(heap, (load_bytes + size_bytes, device))
        for entry in passed_over:
            heapq.heappush(heap, entry)
    return taken
