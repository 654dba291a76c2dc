"""The plan of a backup that holds raw volumes: their stored ranges are cut at cells, and placed like files.  Pure.

The planner plans files.  So it gets each part of a raw volume that must be stored (whole cells, no larger than the
threshold) as one more file after the real ones, and its segments are translated back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from producer.plan import Plan, PlanRequest, make_plan
from producer.plan.threshold import threshold_bytes
from producer.raw.ranges import Range
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES

#: A segment's receipt holds the digests of its cells: 1024 of them are 16 KiB.
_MAX_PART_BYTES = 1024 * CELL_BYTES


class _Part(NamedTuple):
    entry: int
    start: int
    stop: int


def plan_with_raw_volumes(request: PlanRequest, stored: Mapping[int, Sequence[Range]]) -> Plan:
    """The plan that holds only these ranges of each entry in ``stored``; raises what ``make_plan`` raises."""
    if not stored:
        return make_plan(request)
    sizes = array("q", request.sizes)
    for entry in stored:
        sizes[entry] = -1
    share_bytes = _share_bytes(request, sizes, stored)
    parts = list(_parts(stored, _part_bytes(request.options, share_bytes)))
    sizes.extend(part.stop - part.start for part in parts)
    starts = {*request.source_starts, *range(len(request.sizes), len(sizes))}
    options = request.options
    if parts and share_bytes < CELL_BYTES <= options.segment_bytes:
        # A cell that lies in two segments is no cell to the next backup, which would store it again, every time.
        options = replace(options, block_bytes=CELL_BYTES)
    wanted = replace(request, sizes=sizes, source_starts=sorted(starts), options=options)
    return _translated(make_plan(wanted), request, parts)


def _share_bytes(request: PlanRequest, sizes: array[int], stored: Mapping[int, Sequence[Range]]) -> int:
    total_bytes = sum(sizes) + sizes.count(-1) + sum(item.size_bytes for rows in stored.values() for item in rows)
    return threshold_bytes(total_bytes, max(1, len(request.rooms)))


def _part_bytes(options: PlanOptions, share_bytes: int) -> int:
    """The size of the parts: whole units, or whole cells where the threshold is that small."""
    cap_bytes = min(share_bytes, options.segment_bytes, _MAX_PART_BYTES)
    grid_bytes = options.unit_bytes if cap_bytes >= options.unit_bytes and not options.unit_bytes % CELL_BYTES else 0
    grid_bytes = grid_bytes or CELL_BYTES
    return max(grid_bytes, cap_bytes // grid_bytes * grid_bytes)


def _parts(stored: Mapping[int, Sequence[Range]], part_bytes: int) -> Iterator[_Part]:
    for entry, ranges in stored.items():
        for item in ranges:
            for start in range(item.start, item.stop, part_bytes):
                yield _Part(entry, start, min(item.stop, start + part_bytes))


def _translated(plan: Plan, request: PlanRequest, parts: Sequence[_Part]) -> Plan:
    files_count = len(request.sizes)
    first_entries, stop_entries = array("I", plan.first_entries), array("I", plan.stop_entries)
    offsets_bytes = array("q", plan.offsets_bytes)
    for number, entry in enumerate(plan.first_entries):
        if entry >= files_count:
            part = parts[entry - files_count]
            first_entries[number], stop_entries[number] = part.entry, part.entry + 1
            offsets_bytes[number] += part.start
    return replace(plan, first_entries=first_entries, stop_entries=stop_entries, offsets_bytes=offsets_bytes)
