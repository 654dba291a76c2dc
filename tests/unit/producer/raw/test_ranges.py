"""Ranges of a raw volume, and the plan of one, by hand."""

from __future__ import annotations

from array import array

import pytest

from producer.plan import DeviceRoom, PlanRequest
from producer.raw.cutting import plan_with_raw_volumes
from producer.raw.ranges import Range, gaps, inside, merged, widened
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES

MIB = 1024 * 1024


def test_ranges_that_touch_or_overlap_become_one() -> None:
    assert merged([Range(5, 7), Range(0, 2), Range(2, 3), Range(6, 9), Range(4, 4)]) == [Range(0, 3), Range(5, 9)]


def test_gaps_are_what_no_range_covers() -> None:
    assert gaps([Range(2, 4), Range(4, 5)], 10) == [Range(0, 2), Range(5, 10)]
    assert gaps([], 3) == [Range(0, 3)]
    assert gaps([Range(0, 3)], 3) == []


def test_inside_cuts_ranges_at_the_ends() -> None:
    assert list(inside([Range(0, 4), Range(6, 8), Range(9, 12)], Range(3, 10))) == [
        Range(3, 4),
        Range(6, 8),
        Range(9, 10),
    ]


def test_widened_ranges_begin_and_end_at_the_grid_or_at_the_end() -> None:
    assert widened([Range(5, 6), Range(11, 12)], 4, 14) == [Range(4, 12)]
    assert widened([Range(13, 14)], 4, 14) == [Range(12, 14)]


def rooms(count: int) -> tuple[DeviceRoom, ...]:
    return tuple(
        DeviceRoom(name=f"d{number}", capacity_bytes=2**40, free_bytes=2**40, reserve_bytes=0, weight=1.0)
        for number in range(count)
    )


def planned(sizes: list[int], stored: dict[int, list[Range]], devices_count: int = 2) -> list[tuple[int, int, int]]:
    request = PlanRequest(
        sizes=array("q", sizes),
        source_starts=list(range(len(sizes))),
        rooms=rooms(devices_count),
        options=PlanOptions(),
    )
    plan = plan_with_raw_volumes(request, stored)
    assert all(row.stop_entry == row.first_entry + 1 for row in plan)
    return sorted((row.first_entry, row.offset_bytes, row.size_bytes) for row in plan)


def test_only_the_stored_ranges_of_a_volume_are_planned() -> None:
    rows = planned([400 * MIB], {0: [Range(0, 8 * MIB), Range(100 * MIB, 148 * MIB)]})
    covered = merged(Range(offset, offset + size) for _, offset, size in rows)
    assert covered == [Range(0, 8 * MIB), Range(100 * MIB, 148 * MIB)]


@pytest.mark.parametrize("devices_count", [1, 2, 3, 7])
def test_pieces_of_a_volume_begin_at_cells_and_do_not_exceed_the_threshold(devices_count: int) -> None:
    size_bytes = 1000 * MIB + 12_345
    rows = planned([size_bytes], {0: [Range(0, size_bytes)]}, devices_count)
    assert all(offset % CELL_BYTES == 0 for _, offset, _ in rows)
    assert max(size for *_, size in rows) <= -(-size_bytes // devices_count)
    assert sum(size for *_, size in rows) == size_bytes


@pytest.mark.parametrize("devices_count", [2, 3, 7])
def test_cells_of_a_volume_stay_whole_where_fewer_have_changed_than_there_are_devices(devices_count: int) -> None:
    changed = [Range(8 * CELL_BYTES, 9 * CELL_BYTES), Range(20 * CELL_BYTES, 20 * CELL_BYTES + 100)]
    rows = planned([100 * MIB], {0: changed}, devices_count)
    assert rows == [(0, 8 * CELL_BYTES, CELL_BYTES), (0, 20 * CELL_BYTES, 100)]


def test_a_volume_of_which_nothing_is_stored_has_no_segments_and_files_beside_it_have() -> None:
    assert planned([50 * MIB, 1000], {0: []}) == [(1, 0, 500), (1, 500, 500)] or planned([50 * MIB, 1000], {0: []}) == [
        (1, 0, 1000)
    ]


def test_volumes_and_files_mix_under_one_threshold() -> None:
    rows = planned([64 * MIB, 64 * MIB], {0: [Range(0, 64 * MIB)]})
    assert sum(size for entry, _, size in rows if entry == 0) == 64 * MIB
    assert sum(size for entry, _, size in rows if entry == 1) == 64 * MIB
