"""What holds for every plan, whatever the files, the devices and the options."""

from __future__ import annotations

import itertools
from array import array
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from producer.plan import DeviceRoom, Plan, PlanRequest, make_plan
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES
from tasks.errors import DeviceFullError

HUGE_BYTES = 2**50

splits: st.SearchStrategy[Any] = st.sampled_from(["threshold", "remaining"])
orders: st.SearchStrategy[Any] = st.sampled_from(["descending", "ascending"])


def rooms_of(
    *free_bytes: int, weights: tuple[float, ...] = (), capacity_bytes: int = 2 * HUGE_BYTES
) -> tuple[DeviceRoom, ...]:
    return tuple(
        DeviceRoom(
            name=f"d{number}",
            capacity_bytes=capacity_bytes,
            free_bytes=free,
            reserve_bytes=0,
            weight=weights[number] if weights else 1.0,
        )
        for number, free in enumerate(free_bytes)
    )


@st.composite
def file_sizes(draw: st.DrawFn, devices_count: int, block_bytes: int) -> list[int]:
    """Sizes of any kind, or a set whose threshold is known and that has a file within one byte of it."""
    few = st.sampled_from([-1, 0, 1, block_bytes - 1, block_bytes, block_bytes + 1])
    if draw(st.booleans()):
        return draw(st.lists(few | st.integers(0, 5000) | st.integers(0, 2**44), max_size=40))
    threshold = block_bytes * draw(st.integers(2, 1000))
    at_threshold = threshold + draw(st.sampled_from([-1, 0, 1]))
    left = devices_count * threshold - at_threshold
    cuts = sorted(draw(st.lists(st.integers(0, left), max_size=12))) if left > 0 else []
    return [at_threshold, *(stop - start for start, stop in itertools.pairwise([0, *cuts, max(0, left)]))]


@st.composite
def requests(draw: st.DrawFn, *, tight: bool = False, bundle: bool | None = None) -> PlanRequest:
    devices_count = draw(st.integers(1, 100) if not tight else st.integers(1, 6))
    block_bytes = draw(st.sampled_from([1, 10, 512, 65536]))
    sizes = draw(file_sizes(devices_count, block_bytes))
    total_bytes = sum(size for size in sizes if size > 0)
    segment_bytes = max(block_bytes, total_bytes // draw(st.integers(1, 300)))
    starts = sorted({0, *draw(st.lists(st.integers(0, len(sizes)), max_size=3))})
    frees = [HUGE_BYTES] * devices_count
    if tight:
        frees = draw(st.lists(st.integers(0, total_bytes + 1), min_size=devices_count, max_size=devices_count))
    return PlanRequest(
        sizes=array("q", sizes),
        source_starts=starts,
        rooms=rooms_of(*frees, weights=tuple(draw(st.sampled_from([0.5, 1.0, 3.0])) for _ in frees)),
        options=PlanOptions(
            split=draw(splits),
            order=draw(orders),
            balance=draw(st.sampled_from(["run", "free", "weight"])) if tight else "run",
            bundle=draw(st.booleans()) if bundle is None else bundle,
            segment_bytes=segment_bytes,
            block_bytes=block_bytes,
        ),
        expected_ratio=draw(st.sampled_from([1.0, 0.3])) if tight else 1.0,
    )


def extents_of(plan: Plan, sizes: array[int]) -> list[tuple[int, int, int]]:
    """Entry, offset and size of everything the plan stores."""
    extents = []
    for segment in plan:
        held = [(segment.first_entry, segment.offset_bytes, segment.size_bytes)]
        if segment.stop_entry > segment.first_entry + 1:
            entries = range(segment.first_entry, segment.stop_entry)
            held = [(entry, 0, sizes[entry]) for entry in entries if 0 < sizes[entry] <= plan.bundle_limit_bytes]
        assert sum(size for _, _, size in held) == segment.size_bytes
        assert len(held) == segment.files_count
        extents += held
    return sorted(extents)


def costs_of(plan: Plan) -> list[int]:
    return [segment.size_bytes + segment.files_count * plan.file_cost_bytes for segment in plan]


def step_of(plan: Plan, request: PlanRequest) -> int:
    """The step in which this plan may cut files."""
    cells = plan.threshold_bytes >= 16 * CELL_BYTES and not CELL_BYTES % request.options.block_bytes
    return CELL_BYTES if cells else request.options.block_bytes


def large_pieces_start(plan: Plan, request: PlanRequest) -> int:
    """The number of the first piece of a large file that method 2 cut to fit."""
    if request.options.split == "threshold":
        return len(plan)
    large = (segment.number for segment in plan if request.sizes[segment.first_entry] > plan.threshold_bytes)
    starts = (number for number in large if plan.stop_entries[number] == plan.first_entries[number] + 1)
    return next(starts, len(plan))


@given(requests())
def test_every_byte_of_every_file_is_in_exactly_one_extent(request: PlanRequest) -> None:
    extents = extents_of(make_plan(request), request.sizes)
    stored = {entry: list(group) for entry, group in itertools.groupby(extents, key=lambda extent: extent[0])}
    assert set(stored) == {entry for entry, size in enumerate(request.sizes) if size > 0}
    for entry, parts in stored.items():
        ends = [0, *(offset + size for _, offset, size in parts)]
        assert [offset for _, offset, _ in parts] == ends[:-1]
        assert ends[-1] == request.sizes[entry]


@given(requests() | requests(tight=True))
def test_no_segment_is_above_the_threshold_or_the_cap_and_cuts_lie_on_blocks(request: PlanRequest) -> None:
    try:
        plan = make_plan(request)
    except DeviceFullError:
        assume(False)
    options = request.options
    # A threshold below one block cannot be kept by cuts at blocks.
    largest_bytes = min(max(plan.threshold_bytes, options.block_bytes), options.segment_bytes)
    assert all(0 < size <= largest_bytes for size in plan.sizes_bytes)
    assert all(offset % options.block_bytes == 0 for offset in plan.offsets_bytes)


@given(requests())
def test_the_threshold_is_the_sum_of_all_sizes_by_the_number_of_devices(request: PlanRequest) -> None:
    exact = Fraction(sum(size for size in request.sizes if size > 0), len(request.rooms))
    excess = make_plan(request).threshold_bytes - exact
    assert 0 <= excess < 1 or (exact == 0 and excess == 1)


@given(requests(bundle=True))
def test_a_bundle_stays_within_its_source(request: PlanRequest) -> None:
    for segment in make_plan(request):
        assert not any(segment.first_entry < start < segment.stop_entry for start in request.source_starts)


@given(requests())
def test_segments_are_placed_in_sorted_order(request: PlanRequest) -> None:
    plan = make_plan(request)
    placed = costs_of(plan)[: large_pieces_start(plan, request)]
    assert placed == sorted(placed, reverse=request.options.order == "descending")


@given(requests() | requests(tight=True))
def test_each_segment_went_to_a_least_filled_device_with_room(request: PlanRequest) -> None:
    try:
        plan = make_plan(request)
    except DeviceFullError:
        assume(False)
    limits = [int(room.free_bytes / request.expected_ratio) for room in request.rooms]
    limits = [limit if limit >= request.options.block_bytes else 0 for limit in limits]
    loads, costs = [0] * len(limits), [0] * len(limits)

    def level(device: int) -> float:
        room = request.rooms[device]
        if request.options.balance == "free":
            used_bytes = int((room.capacity_bytes - room.free_bytes) / request.expected_ratio)
            return (used_bytes + costs[device]) / room.capacity_bytes
        return costs[device] / room.weight if request.options.balance == "weight" else costs[device]

    for segment in list(plan)[: large_pieces_start(plan, request)]:
        device = plan.devices[segment.number]
        with_room = [d for d in range(len(limits)) if loads[d] + segment.size_bytes <= limits[d]]
        assert device in with_room
        assert level(device) == min(map(level, with_room))
        loads[device] += segment.size_bytes
        costs[device] += segment.size_bytes + segment.files_count * plan.file_cost_bytes


@given(requests())
def test_with_method_1_devices_differ_by_at_most_the_largest_segment(request: PlanRequest) -> None:
    plan = make_plan(request)
    assume(request.options.split == "threshold")
    loads = dict.fromkeys(range(len(request.rooms)), 0)
    costs = costs_of(plan)
    for device, cost in zip(plan.devices, costs, strict=True):
        loads[device] += cost
    assert max(loads.values()) - min(loads.values()) <= max(costs, default=0)


@given(requests())
def test_with_method_2_devices_end_within_one_block_or_cell_unless_small_files_alone_pass_the_level(
    request: PlanRequest,
) -> None:
    plan = make_plan(request)
    assume(request.options.split == "remaining")
    start = large_pieces_start(plan, request)
    assume(start < len(plan))
    small = [0] * len(request.rooms)
    for device, size in itertools.islice(zip(plan.devices, plan.sizes_bytes, strict=True), start):
        small[device] += size
    loads = list(plan.loads_bytes.values())
    cut_to_fit = [load for load, before in zip(loads, small, strict=True) if load > before]
    step_bytes = step_of(plan, request)
    assert max(cut_to_fit) - min(loads) <= step_bytes
    if max(small) * len(small) <= sum(loads):
        assert max(loads) - min(loads) <= step_bytes


@given(requests(bundle=False))
def test_a_file_above_the_threshold_lies_on_several_devices(request: PlanRequest) -> None:
    # Ascending, method 1 can bring all pieces to one device: files of 2 and 4, threshold 3, order 1 2 3.
    assume(request.options.split == "remaining" or request.options.order == "descending")
    plan = make_plan(request)
    # Cuts lie on blocks or cells: a threshold below one cannot be kept, and method 2 need not cut for less than one.
    step_bytes = step_of(plan, request)
    spared_bytes = step_bytes if request.options.split == "remaining" or plan.threshold_bytes < step_bytes else 0
    if request.options.split == "threshold" and step_bytes == CELL_BYTES:
        # What is left over of a share is small, and may all go to the device of the share.
        spared_bytes = plan.threshold_bytes // 16
    for entry, size in enumerate(request.sizes):
        if size > plan.threshold_bytes + spared_bytes:
            pieces = zip(plan.first_entries, plan.devices, strict=True)
            assert len({device for first, device in pieces if first == entry}) > 1


@given(requests(tight=True))
def test_no_device_gets_more_than_its_room_and_only_what_does_not_fit_is_refused(request: PlanRequest) -> None:
    limits = [int(room.free_bytes / request.expected_ratio) for room in request.rooms]
    limits = [limit for limit in limits if limit >= request.options.block_bytes]
    total_bytes = sum(size for size in request.sizes if size > 0)
    try:
        plan = make_plan(request)
    except DeviceFullError:
        # A segment of 1/256 of the threshold, or one block, found no device: each has less room than that left.
        finest_bytes = max(request.options.block_bytes, -(-total_bytes // max(1, len(limits))) // 256 + 1)
        assert total_bytes > sum(limits) - len(limits) * finest_bytes
        return
    for room in request.rooms:
        assert plan.loads_bytes[room.name] * request.expected_ratio <= room.free_bytes


@given(requests(tight=True))
def test_the_same_request_gives_the_same_plan(request: PlanRequest) -> None:
    try:
        plan = make_plan(request)
    except DeviceFullError as error:
        with pytest.raises(DeviceFullError) as again:
            make_plan(request)
        assert again.value.message == error.message
    else:
        assert plan == make_plan(request)


def least_possible_load(sizes: list[int], devices_count: int) -> int:
    """The largest load of the best of all ways to place whole segments."""
    best = sum(sizes)
    for devices in itertools.product(range(devices_count), repeat=len(sizes)):
        loads = [0] * devices_count
        for size, device in zip(sizes, devices, strict=True):
            loads[device] += size
        best = min(best, max(loads))
    return best


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6), devices_count=st.integers(1, 3), order=orders)
def test_the_largest_load_is_within_the_bound_of_greedy_placement(
    sizes: list[int], devices_count: int, order: Any
) -> None:
    options = PlanOptions(order=order, bundle=False, block_bytes=1)
    rooms = rooms_of(*[HUGE_BYTES] * devices_count)
    plan = make_plan(PlanRequest(sizes=array("q", sizes), source_starts=[0], rooms=rooms, options=options))
    assume(len(plan) <= 8)
    best = least_possible_load(list(plan.sizes_bytes), devices_count)
    m = devices_count
    bound = Fraction(4, 3) - Fraction(1, 3 * m) if order == "descending" else 2 - Fraction(1, m)
    assert max(plan.loads_bytes.values()) <= bound * best
