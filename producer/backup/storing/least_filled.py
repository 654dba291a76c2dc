"""Chooses the least-filled device for each segment that needs a new one."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from producer.backup.expected_ratio import ratio_so_far
from producer.backup.storing.state.state import UNFINISHED, BackupState
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from tasks.errors import DeviceFullError


def least_filled(catalog: Catalog, state: BackupState, rows: Sequence[SegmentRow]) -> dict[int, str]:
    """Segment number → the live device that takes it, in the rows' order.

    Keeps room for what a device has to store already, and for its reserve.  Where the segments do not fit that way,
    they go wherever there is free space now, which is better than ending the run.  Raises DeviceFullError when even
    that is not enough.
    """
    return least_filled_for(catalog, state, [(row.number, row.size_bytes) for row in rows])


def least_filled_for(catalog: Catalog, state: BackupState, segments: Sequence[tuple[int, int]]) -> dict[int, str]:
    """As :func:`least_filled`, for segments as (number, source bytes)."""
    if not segments:
        return {}
    loads_bytes = {member.name: state.load_bytes(member.name) for member in state.live}
    ratio = ratio_so_far(catalog, state.snapshot_id)
    try:
        return assign_least_filled(segments, loads_bytes, _rooms_bytes(catalog, state, ratio), ratio)
    except DeviceFullError:
        free_bytes = {member.name: member.free_bytes for member in state.live}
        return assign_least_filled(segments, loads_bytes, free_bytes, ratio)


def least_filled_with_room(
    catalog: Catalog, state: BackupState, rows: Sequence[SegmentRow], *, beside_reserve: bool = True
) -> dict[int, str]:
    """As :func:`least_filled`, but only those segments that fit; ``beside_reserve``: beside every reserve."""
    if not rows:
        return {}
    segments = [(row.number, row.size_bytes) for row in rows]
    loads_bytes = {member.name: state.load_bytes(member.name) for member in state.live}
    ratio = ratio_so_far(catalog, state.snapshot_id)
    rooms_bytes = _rooms_bytes(catalog, state, ratio, beside_reserve=beside_reserve)
    return assign_least_filled(segments, loads_bytes, rooms_bytes, ratio, skip_misfits=True)


def _rooms_bytes(catalog: Catalog, state: BackupState, ratio: float, *, beside_reserve: bool = True) -> dict[str, int]:
    """Live device → bytes that it can take beside what it has still to store, and beside its reserve."""
    to_come_bytes: Counter[str] = Counter()
    for total in catalog.totals.by_state(state.snapshot_id):
        if total.state in UNFINISHED:
            to_come_bytes[total.device] += math.ceil(total.bytes_source * ratio)
    rooms_bytes = {member.name: member.room_bytes if beside_reserve else member.free_bytes for member in state.live}
    return {name: max(0, room_bytes - to_come_bytes[name]) for name, room_bytes in rooms_bytes.items()}


def assign_least_filled(
    segments: Iterable[tuple[int, int]],
    loads_bytes: Mapping[str, int],
    free_bytes: Mapping[str, int],
    expected_ratio: float,
    *,
    skip_misfits: bool = False,
) -> dict[int, str]:
    """Segment number → the device that takes it: in the plan's order, each to the then least-filled one.  Pure.

    ``segments`` are (number, source bytes), in the plan's order; ``loads_bytes`` the source bytes that each live device
    holds or has to store in this run; ``free_bytes`` the stored bytes that it can still take, of which a source byte is
    expected to need ``expected_ratio``.  Ties go by name.  Raises DeviceFullError when a segment fits on none of them;
    with ``skip_misfits`` such a segment is left out.
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
        if not heap and skip_misfits:
            heap = passed_over
            heapq.heapify(heap)
            continue
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
