"""A file that is compared is cut where its digests are known, however little there is to store."""

from __future__ import annotations

from array import array

import pytest
from msgspec.structs import replace

from producer.plan import DeviceRoom, Plan, PlanRequest, make_plan
from producer.plan.extent_sizes import ExtentSizes
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES

KIB, MIB = 1024, 1024**2
SPLITS = ("threshold", "remaining")


def planned(sizes: list[int], extents: dict[int, list[int]], free_bytes: int = 1024 * MIB, **options: object) -> Plan:
    known = ExtentSizes()
    for entry, sizes_bytes in extents.items():
        known.add(entry, sizes_bytes)
    return make_plan(
        PlanRequest(
            sizes=array("q", sizes),
            source_starts=[0],
            rooms=tuple(
                DeviceRoom(name=name, capacity_bytes=free_bytes, free_bytes=free_bytes, reserve_bytes=0)
                for name in "ab"
            ),
            options=replace(PlanOptions(), **options),
            extents_bytes=known,
        )
    )


def pieces(plan: Plan, entry: int) -> list[tuple[int, int]]:
    return sorted((row.offset_bytes, row.size_bytes) for row in plan if row.first_entry == entry)


@pytest.mark.parametrize("split", SPLITS)
def test_a_small_file_that_is_compared_alone_stays_whole(split: str) -> None:
    assert pieces(planned([12 * KIB], {0: [12 * KIB]}, split=split), 0) == [(0, 12 * KIB)]


@pytest.mark.parametrize("split", SPLITS)
def test_a_new_file_beside_it_is_cut_at_the_threshold(split: str) -> None:
    plan = planned([12 * KIB, 40 * KIB], {0: [12 * KIB]}, split=split, bundle=False)
    assert pieces(plan, 0) == [(0, 12 * KIB)]
    assert len(pieces(plan, 1)) > 1
    assert max(size for _, size in pieces(plan, 1)) <= plan.threshold_bytes


@pytest.mark.parametrize("split", SPLITS)
def test_no_cell_of_a_larger_file_lies_in_two_segments(split: str) -> None:
    cells = [CELL_BYTES] * 2 + [1]
    assert pieces(planned([sum(cells)], {0: cells}, split=split), 0) in (
        [(0, CELL_BYTES), (CELL_BYTES, CELL_BYTES), (2 * CELL_BYTES, 1)],
        [(0, CELL_BYTES), (CELL_BYTES, CELL_BYTES + 1)],
    )


def test_it_is_cut_smaller_where_segments_must_be_or_no_device_has_the_room() -> None:
    assert len(pieces(planned([MIB], {0: [MIB]}, segment_bytes=256 * KIB), 0)) == 4
    assert len(pieces(planned([MIB], {0: [MIB]}, free_bytes=768 * KIB), 0)) > 1


def test_extent_sizes_are_those_that_were_added() -> None:
    known = ExtentSizes()
    known.add(3, [7])
    known.add(5, [1, 2])
    known.add(9, [])
    assert dict(known) == {3: (7,), 5: [1, 2]}
    assert known.several == {5: [1, 2]}
    assert len(known) == 2
    assert 4 not in known
