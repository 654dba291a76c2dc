"""Gives the segments of a lost device to the others.  Pure."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping

from tasks.errors import DeviceFullError


def reassign(
    segments: Iterable[tuple[int, int]],
    loads_bytes: Mapping[str, int],
    free_bytes: Mapping[str, int],
    expected_ratio: float,
) -> dict[int, str]:
    """Segment number → the device that takes it: in the plan's order, each to the then least-filled one.

    ``segments`` are (number, source bytes), in the plan's order; ``loads_bytes`` the source bytes that each live device
    holds or is to hold of this run; ``free_bytes`` the stored bytes that it can still take, of which a source byte is
    expected to need ``expected_ratio``.  Ties go by name.  Raises DeviceFullError when a segment fits on none of them.
    """
    heap = [(load_bytes, device) for device, load_bytes in loads_bytes.items()]
    heapq.heapify(heap)
    left_bytes = dict(free_bytes)
    taken: dict[int, str] = {}
    for number, size_bytes in segments:
        expected_bytes = math.ceil(size_bytes * expected_ratio)
        passed_over = []
        while heap and left_bytes[heap[0][1]] < expected_bytes:
            passed_over.append(heapq.heappop(heap))
        if not heap:
            room = ", ".join(f"{device} {free} bytes" for device, free in sorted(left_bytes.items()))
            raise DeviceFullError(
                f"segment {number}, expected to take {expected_bytes} bytes, fits on no device that is left "
                f"(free: {room})"
            )
        load_bytes, device = heap[0]
        taken[number] = device
        left_bytes[device] -= expected_bytes
        heapq.heapreplace(heap, (load_bytes + size_bytes, device))
        for entry in passed_over:
            heapq.heappush(heap, entry)
    return taken
