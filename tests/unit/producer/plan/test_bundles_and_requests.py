"""What one looks at when a plan comes out odd: extremes, refusals, balance, bundles."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from msgspec.structs import replace

from producer.plan import DeviceRoom, Plan, PlanRequest, expected_ratio, make_plan, reserve_bytes
from producer.plan.bundles import FILE_COST_BYTES
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES
from tasks.errors import DeviceFullError, UsageError
from tasks.values import MAX_EXTENTS

KIB, MIB, GIB = 1024, 1024**2, 1024**3
BLOCK = PlanOptions().block_bytes
ROOMY = DeviceRoom(name="a", capacity_bytes=10 * 1024 * GIB, free_bytes=10 * 1024 * GIB, reserve_bytes=0)


def rooms_of(**free_bytes: int) -> tuple[DeviceRoom, ...]:
    return tuple(replace(ROOMY, name=name, free_bytes=free) for name, free in free_bytes.items())


def roomy(count: int) -> tuple[DeviceRoom, ...]:
    return tuple(replace(ROOMY, name=f"d{number}") for number in range(count))


def planned(
    sizes: list[int],
    rooms: tuple[DeviceRoom, ...],
    *,
    ratio: float = 1.0,
    **options: Any,
) -> Plan:
    request = PlanRequest(
        sizes=array("q", sizes),
        source_starts=[0],
        rooms=rooms,
        options=replace(PlanOptions(), **options),
        expected_ratio=ratio,
    )
    return make_plan(request)


def test_no_files_make_an_empty_plan() -> None:
    plan = planned([], roomy(3))
    assert len(plan) == 0
    assert plan.loads_bytes == {"d0": 0, "d1": 0, "d2": 0}


def test_empty_files_are_in_no_segment() -> None:
    assert len(planned([0] * 1000 + [-1] * 10, roomy(3))) == 0


def test_nothing_to_store_needs_no_room() -> None:
    assert len(planned([0, -1], rooms_of(a=0))) == 0


def test_more_devices_than_bytes_leaves_devices_empty() -> None:
    plan = planned([1, 1], roomy(10), bundle=False)
    assert sorted(plan.loads_bytes.values()) == [0] * 8 + [1, 1]
    assert plan.threshold_bytes == 1


def test_a_huge_file_on_two_devices_becomes_two_equal_halves() -> None:
    plan = planned([5_400_000_000], roomy(2), segment_bytes=512 * MIB)
    assert plan.threshold_bytes == 2_700_000_000
    first, second = plan.loads_bytes.values()
    assert abs(first - second) <= 2 * CELL_BYTES
    # Cuts lie on cells, so less than a cell for each device is left over; it is the last, and the smallest.
    *pieces, rest = plan.sizes_bytes
    assert max(pieces) - min(pieces) <= CELL_BYTES * len(plan)
    assert rest < 2 * CELL_BYTES


@pytest.mark.parametrize("split", ["threshold", "remaining"])
def test_no_cell_lies_in_two_pieces_unless_the_backup_is_small(split: str) -> None:
    large = planned([3 * GIB + 12345, 777 * MIB + 1, 5000], roomy(3), split=split, segment_bytes=250 * MIB + 4096)
    assert all(offset % CELL_BYTES == 0 for offset in large.offsets_bytes)
    small = planned([21 * MIB], roomy(4), split=split)
    assert max(small.loads_bytes.values()) - min(small.loads_bytes.values()) <= 4 * BLOCK


@pytest.mark.parametrize("split", ["threshold", "remaining"])
def test_cuts_at_cells_take_devices_no_further_apart_than_a_cell(split: str) -> None:
    # 67.9 MiB for each of 16 devices: whole cells leave 3.9 MiB of each share over.
    plan = planned([int(67.9 * 16 * MIB)], roomy(16), split=split)
    assert max(plan.loads_bytes.values()) - min(plan.loads_bytes.values()) <= CELL_BYTES


def test_cells_are_given_up_before_a_backup_is_refused() -> None:
    # Each device has room for 17 cells and a half, and nothing may be left over.
    rooms = rooms_of(a=70 * MIB, b=70 * MIB)
    plan = planned([140 * MIB], rooms, split="remaining")
    assert plan.loads_bytes == {"a": 70 * MIB, "b": 70 * MIB}


def test_the_pieces_of_equal_files_lie_on_different_devices() -> None:
    plan = planned([400_000_000] * 3, roomy(3), segment_bytes=256 * MIB)
    for entry in range(3):
        assert len({row.device for row in plan if row.first_entry == entry}) == 2


def test_a_file_larger_than_any_disk_is_planned() -> None:
    size_bytes = 2**62
    plan = planned([size_bytes], tuple(replace(room, free_bytes=2**63) for room in roomy(4)), segment_bytes=2**55)
    assert sum(plan.sizes_bytes) == size_bytes


def test_a_device_without_room_takes_no_part_and_does_not_count_for_the_threshold() -> None:
    plan = planned([90 * MIB], rooms_of(a=GIB, b=0, c=GIB, d=BLOCK - 1))
    assert plan.threshold_bytes == 45 * MIB
    assert plan.loads_bytes == {"a": 45 * MIB, "b": 0, "c": 45 * MIB, "d": 0}


def test_the_reserve_is_never_planned_with() -> None:
    rooms = tuple(replace(room, reserve_bytes=GIB // 2) for room in rooms_of(a=GIB, b=GIB))
    assert len(planned([GIB - MIB], rooms)) > 0
    with pytest.raises(DeviceFullError):
        planned([GIB + 1], rooms)


def test_a_refusal_shows_the_sum_for_every_device() -> None:
    rooms = tuple(replace(room, reserve_bytes=GIB) for room in rooms_of(left=4 * GIB, right=2 * GIB))
    with pytest.raises(DeviceFullError) as refused:
        planned([10 * GIB], rooms, ratio=0.5)
    text = refused.value.message
    assert "needs 5 GiB (10 GiB of files, 0.50 stored bytes expected for each)" in text
    assert "the devices have room for 4 GiB, 1 GiB too little" in text
    assert "left: 4 GiB free - 1 GiB reserve = 3 GiB" in text
    assert "right: 2 GiB free - 1 GiB reserve = 1 GiB" in text


def test_segments_are_cut_finer_rather_than_refusing_what_would_fit() -> None:
    # 300 MiB in segments of 100 MiB would leave 50 MiB unused on each device.
    plan = planned([300 * MIB], rooms_of(a=150 * MIB, b=151 * MIB), segment_bytes=100 * MIB)
    assert plan.loads_bytes["a"] <= 150 * MIB
    assert plan.loads_bytes["b"] <= 151 * MIB


def test_a_large_file_passes_over_a_device_that_small_files_have_filled() -> None:
    plan = planned([293, 1471], rooms_of(a=1, b=1763), split="remaining", bundle=False, block_bytes=1)
    assert plan.loads_bytes == {"a": 1, "b": 1763}


def test_a_small_device_is_filled_and_the_others_take_the_rest() -> None:
    plan = planned([MIB] * 300, rooms_of(a=10 * MIB, b=GIB, c=GIB), bundle=False)
    assert plan.loads_bytes == {"a": 10 * MIB, "b": 145 * MIB, "c": 145 * MIB}


@pytest.mark.parametrize("split", ["threshold", "remaining"])
def test_balance_free_fills_devices_to_the_same_share_of_their_capacity(split: str) -> None:
    half_full = DeviceRoom(name="a", capacity_bytes=1000 * MIB, free_bytes=500 * MIB, reserve_bytes=0)
    empty = DeviceRoom(name="b", capacity_bytes=2000 * MIB, free_bytes=2000 * MIB, reserve_bytes=0)
    # 1500 of 3000 MiB in use afterwards: a stays at 500, b comes to 1000.
    plan = planned(
        [MIB] * 100 + [900 * MIB], (half_full, empty), balance="free", split=split, bundle=False, segment_bytes=MIB
    )
    assert plan.loads_bytes["a"] <= MIB
    assert plan.loads_bytes["b"] >= 999 * MIB


@pytest.mark.parametrize("split", ["threshold", "remaining"])
def test_balance_weight_gives_a_device_of_twice_the_speed_twice_the_bytes(split: str) -> None:
    slow, fast = replace(ROOMY, name="slow", weight=1), replace(ROOMY, name="fast", weight=2)
    plan = planned([900 * MIB], (slow, fast), balance="weight", split=split, segment_bytes=MIB)
    assert abs(plan.loads_bytes["slow"] - 300 * MIB) <= MIB
    assert abs(plan.loads_bytes["fast"] - 600 * MIB) <= MIB


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), 1e9])
def test_an_absurd_weight_is_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="device a: weight"):
        planned([1], (replace(ROOMY, weight=weight),))


@pytest.mark.parametrize(
    ("rooms", "says"),
    [
        ((), "at least one device"),
        ((ROOMY, ROOMY), "same name"),
        ((replace(ROOMY, free_bytes=-1),), "must not be negative"),
        ((replace(ROOMY, reserve_bytes=-1),), "must not be negative"),
    ],
)
def test_devices_that_make_no_sense_are_refused(rooms: tuple[DeviceRoom, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        planned([1], rooms)


def test_a_segment_size_below_one_block_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be cut at blocks"):
        planned([1], roomy(1), segment_bytes=1)


def test_sizes_below_minus_one_are_refused() -> None:
    with pytest.raises(UsageError, match="-2 bytes"):
        planned([5, -2], roomy(1))


@pytest.mark.parametrize("starts", [[1], [0, 2, 1], [0, 9]])
def test_sources_that_do_not_follow_each_other_are_refused(starts: list[int]) -> None:
    with pytest.raises(UsageError, match="ascending entries"):
        make_plan(PlanRequest(sizes=array("q", [1, 2]), source_starts=starts, rooms=roomy(1), options=PlanOptions()))


def test_a_million_tiny_files_make_few_bundles_of_bounded_size() -> None:
    plan = planned([1] * 1_000_000, roomy(3))
    assert len(plan) < 1000
    assert max(plan.files_counts) <= MAX_EXTENTS
    assert max(plan.files_counts) * FILE_COST_BYTES <= 4 * 24 * MIB


def test_many_tiny_files_count_for_more_than_their_bytes() -> None:
    # 80,000 files of 1 KiB beside 400 files of 4 MiB: by bytes alone 5 % of the work, by cost 29 %.
    sizes = [KIB] * 80_000 + [4 * MIB] * 400
    plan = planned(sizes, roomy(4))
    costs = dict.fromkeys(range(4), 0)
    for device, size, files in zip(plan.devices, plan.sizes_bytes, plan.files_counts, strict=True):
        costs[device] += size + files * plan.file_cost_bytes
    assert max(costs.values()) - min(costs.values()) <= 0.06 * max(costs.values())


def test_bundle_off_places_each_file_by_itself_by_bytes_alone() -> None:
    plan = planned([KIB] * 100, roomy(3), bundle=False)
    assert list(plan.files_counts) == [1] * 100
    assert plan.file_cost_bytes == 0


def test_two_sources_share_one_threshold_and_no_bundle() -> None:
    request = PlanRequest(sizes=array("q", [KIB] * 20), source_starts=[0, 10], rooms=roomy(1), options=PlanOptions())
    plan = make_plan(request)
    assert plan.threshold_bytes == 20 * KIB
    assert not any(row.first_entry < 10 < row.stop_entry for row in plan)


def test_the_reserve_is_2_percent_and_at_least_1_gib_unless_configured() -> None:
    assert reserve_bytes(10 * GIB) == GIB
    assert reserve_bytes(1000 * GIB) == 20 * GIB
    assert reserve_bytes(1000 * GIB, 5) == 5


def test_the_expected_ratio_is_the_worst_seen_and_a_tenth_more() -> None:
    assert expected_ratio([]) == 1.0
    assert expected_ratio([(0, 10)]) == 1.0
    assert expected_ratio([(100, 20), (100, 40)]) == pytest.approx(0.44)
    assert expected_ratio([(100, 99)]) == 1.0


def test_each_device_keeps_room_for_its_part_of_the_parity() -> None:
    rooms = rooms_of(a=100 * MIB, b=100 * MIB, c=100 * MIB)
    sizes = [MIB] * 190

    assert planned(sizes, rooms, parity=1).loads_bytes.keys() == {"a", "b", "c"}
    with pytest.raises(DeviceFullError):
        planned([*sizes, 20 * MIB], rooms, parity=1)
    assert len(planned([*sizes, 20 * MIB], rooms))


def test_parity_needs_more_devices_with_room_than_may_be_lost() -> None:
    with pytest.raises(DeviceFullError, match="--parity 2 needs 3 devices with room, and there are 2"):
        planned([MIB], rooms_of(a=GIB, b=GIB, c=0), parity=2)
