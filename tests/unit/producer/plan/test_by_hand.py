"""The example of docs/plan.md, worked out by hand."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from producer.plan import DeviceRoom, Plan, PlanRequest, make_plan
from producer.requests import PlanOptions

# Three devices; files of 10, 70, 20, 100 and 40 bytes; blocks of 10.  The sum is 240, the threshold 240 / 3 = 80.
NAMES = ["f10", "f70", "f20", "f100", "f40"]
SIZES = [10, 70, 20, 100, 40]


def plan_of(split: Any, order: Any) -> Plan:
    rooms = tuple(
        DeviceRoom(name=name, capacity_bytes=1000, free_bytes=1000, reserve_bytes=0) for name in ("a", "b", "c")
    )
    options = PlanOptions(split=split, order=order, bundle=False, block_bytes=10)
    return make_plan(PlanRequest(sizes=array("q", SIZES), source_starts=[0], rooms=rooms, options=options))


def rows_of(plan: Plan) -> list[tuple[str, int, int, str]]:
    return [(NAMES[row.first_entry], row.offset_bytes, row.size_bytes, row.device) for row in plan]


@pytest.mark.parametrize(
    ("split", "order", "rows", "loads_bytes"),
    [
        pytest.param(
            # f100 is above 80: pieces of 80 and 20.  Sorted: 80, 70, 40, 20 (f20 comes before f100), 20, 10.
            # 80 → a = 80; 70 → b = 70; 40 → c = 40; 20 → c = 60; 20 → c = 80; 10 → b = 80.
            "threshold",
            "descending",
            [
                ("f100", 0, 80, "a"),
                ("f70", 0, 70, "b"),
                ("f40", 0, 40, "c"),
                ("f20", 0, 20, "c"),
                ("f100", 80, 20, "c"),
                ("f10", 0, 10, "b"),
            ],
            {"a": 80, "b": 80, "c": 80},
            id="threshold-descending",
        ),
        pytest.param(
            # The same pieces, sorted: 10, 20, 20, 40, 70, 80.
            # 10 → a = 10; 20 → b = 20; 20 → c = 20; 40 → a = 50; 70 → b (tie with c) = 90; 80 → c = 100.
            "threshold",
            "ascending",
            [
                ("f10", 0, 10, "a"),
                ("f20", 0, 20, "b"),
                ("f100", 80, 20, "c"),
                ("f40", 0, 40, "a"),
                ("f70", 0, 70, "b"),
                ("f100", 0, 80, "c"),
            ],
            {"a": 50, "b": 90, "c": 100},
            id="threshold-ascending",
        ),
        pytest.param(
            # Up to 80, sorted: 70, 40, 20, 10: 70 → a = 70; 40 → b = 40; 20 → c = 20; 10 → c = 30.
            # To 80 there remain 10 on a, 40 on b, 50 on c: 100, just f100.  Its end goes to c, the least filled.
            "remaining",
            "descending",
            [
                ("f70", 0, 70, "a"),
                ("f40", 0, 40, "b"),
                ("f20", 0, 20, "c"),
                ("f10", 0, 10, "c"),
                ("f100", 0, 10, "a"),
                ("f100", 10, 40, "b"),
                ("f100", 50, 50, "c"),
            ],
            {"a": 80, "b": 80, "c": 80},
            id="remaining-descending",
        ),
        pytest.param(
            # Up to 80, sorted: 10, 20, 40, 70: 10 → a = 10; 20 → b = 20; 40 → c = 40; 70 → a = 80.
            # To 80 there remain 60 on b and 40 on c.  The end of f100 goes to b, the least filled.
            "remaining",
            "ascending",
            [
                ("f10", 0, 10, "a"),
                ("f20", 0, 20, "b"),
                ("f40", 0, 40, "c"),
                ("f70", 0, 70, "a"),
                ("f100", 0, 40, "c"),
                ("f100", 40, 60, "b"),
            ],
            {"a": 80, "b": 80, "c": 80},
            id="remaining-ascending",
        ),
    ],
)
def test_the_example_comes_out_as_by_hand(
    split: str, order: str, rows: list[tuple[str, int, int, str]], loads_bytes: dict[str, int]
) -> None:
    plan = plan_of(split, order)
    assert plan.threshold_bytes == 80
    assert rows_of(plan) == rows
    assert plan.loads_bytes == loads_bytes
