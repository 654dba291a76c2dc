"""What a person and a script get to see of a plan."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from array import array

import pytest

from producer.plan import DeviceRoom, Plan, PlanRequest, make_plan
from producer.plan.describe import PlanDescription, describe, lower_bound_bytes, spread
from producer.plan.rows import json_rows
from producer.plan.svg import draw_svg
from producer.plan.text import bar, text_lines
from producer.requests import PlanOptions

MIB = 1024**2
RECT, TEXT = "{http://www.w3.org/2000/svg}rect", "{http://www.w3.org/2000/svg}text"


def planned(sizes: list[int], devices_count: int, *, bundle: bool = True) -> Plan:
    rooms = tuple(
        DeviceRoom(name=f"disk{number}", capacity_bytes=2**50, free_bytes=2**50, reserve_bytes=0)
        for number in range(devices_count)
    )
    options = PlanOptions(bundle=bundle, segment_bytes=16 * MIB)
    return make_plan(PlanRequest(sizes=array("q", sizes), source_starts=[0], rooms=rooms, options=options))


def path_of(entry: int) -> str:
    return f"data/file-{entry}"


@pytest.fixture
def plan() -> Plan:
    return planned([1000] * 3000 + [100 * MIB, 10 * MIB, 0, -1], 3)


@pytest.fixture
def description(plan: Plan) -> PlanDescription:
    return describe(plan)


def test_every_file_counts_once_in_all_and_a_cut_one_on_each_of_its_devices(description: PlanDescription) -> None:
    assert description.files_count == 3002
    assert sum(share.files_count for share in description.devices) == 3002 + 2
    assert description.bytes_source == 3000 * 1000 + 110 * MIB


def test_the_largest_items_come_first_with_their_devices(description: PlanDescription) -> None:
    first, second = description.largest[:2]
    assert (first.first_entry, first.size_bytes, first.segments_count) == (3000, 100 * MIB, 8)
    assert set(first.devices) == {"disk0", "disk1", "disk2"}
    assert (second.first_entry, second.segments_count) == (3001, 1)


@pytest.mark.parametrize(
    ("sizes", "devices_count", "bound_bytes"),
    [
        ([], 3, 0),
        ([5, 5, 5], 3, 5),
        ([1, 1, 10], 3, 10),
        # Four segments of 4 on three devices: two of them share one.
        ([4, 4, 4, 4], 3, 8),
        ([3, 3, 3, 3, 3, 3], 3, 6),
    ],
)
def test_the_lower_bound_is_the_mean_the_largest_segment_or_two_that_share(
    sizes: list[int], devices_count: int, bound_bytes: int
) -> None:
    assert lower_bound_bytes(array("q", sizes), devices_count) == bound_bytes


def test_the_spread_is_the_difference_by_the_mean() -> None:
    assert spread([80, 100, 120]) == pytest.approx(0.4)
    assert spread([0, 0]) == 0


def test_rows_are_json_with_every_segment_and_a_summary_last(plan: Plan, description: PlanDescription) -> None:
    rows = [json.loads(json.dumps(row)) for row in json_rows(plan, description, path_of)]
    segments, summary = rows[:-1], rows[-1]
    assert [row["number"] for row in segments] == list(range(len(plan)))
    assert {row["message_type"] for row in segments} == {"segment"}
    assert segments[0]["path"] == "data/file-3000"
    assert summary["message_type"] == "summary"
    assert summary["threshold_bytes"] == plan.threshold_bytes
    assert summary["segments"] == len(plan)
    for name, device in summary["devices"].items():
        assert device["bytes_source"] == sum(row["size_bytes"] for row in segments if row["device"] == name)


def test_the_lines_name_threshold_bound_spread_and_every_device(description: PlanDescription) -> None:
    lines = list(text_lines(description, path_of, 80))
    for word in ("threshold", "segments", "lower bound", "spread", "disk0", "disk1", "disk2"):
        assert any(line.startswith(word) for line in lines)
    assert any("data/file-3000: 8 segments on" in line for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_bar_is_exact_to_an_eighth_of_a_character() -> None:
    assert bar(1, 4) == "████"
    assert bar(0.5, 3) == "█▌"
    assert bar(0, 4) == ""


@pytest.mark.parametrize("devices_count", [1, 3, 24, 100])
def test_the_picture_has_a_row_for_each_device_and_a_box_for_each_segment(devices_count: int) -> None:
    plan = planned([300 * MIB, 40 * MIB, 5 * MIB], devices_count)
    picture = ET.fromstring(draw_svg(plan, path_of))
    texts = [element.text for element in picture.iter(TEXT)]
    assert [name for name in texts if name and name.startswith("disk")] == [room.name for room in plan.rooms]
    legend_count = 3
    assert len(list(picture.iter(RECT))) == 1 + len(plan) + legend_count


def test_the_picture_of_a_hundred_thousand_segments_stays_small() -> None:
    text = draw_svg(planned([1000] * 100_000, 3, bundle=False), path_of)
    assert len(text) < 500_000


def test_the_picture_of_nothing_is_still_a_picture() -> None:
    ET.fromstring(draw_svg(planned([], 3), path_of))


def test_names_that_xml_cannot_hold_do_not_break_the_picture() -> None:
    ET.fromstring(draw_svg(planned([5 * MIB], 2), lambda _: "<a & b>\x00\udcff\n"))
