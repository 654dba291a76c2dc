"""Which objects are copied where."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from producer.catalog.tables.objects import StoredObject
from producer.pool.copies import CopyPlan, CopyTarget, plan_copies

NO_ROOM = "no other available device has room"


def stored(number: int, device: str, size_bytes: int = 100, **changes: object) -> StoredObject:
    values: dict[str, object] = {
        "object_id": f"{number:032x}",
        "segment_id": f"{number:032x}",
        "device_id": device,
        "device": device,
        "snapshot_id": "f" * 32,
        "size_bytes": size_bytes,
        "bytes_stored": size_bytes,
        "trailer_digest": bytes(32),
    }
    return StoredObject(**{**values, **changes})  # type: ignore[arg-type]


def planned(
    objects: list[StoredObject],
    *,
    copies: int = 2,
    targets: str = "abc",
    rooms: Mapping[str, int] | None = None,
    sites: Mapping[str, str] | None = None,
    holding: str = "abc",
    readable: str = "abc",
) -> CopyPlan:
    index: dict[str, list[StoredObject]] = {}
    for one in objects:
        index.setdefault(one.segment_id, []).append(one)
    found = [
        CopyTarget(
            name=name,
            device_id=name,
            load_bytes=0,
            room_bytes=(rooms or {}).get(name, 10_000),
            site=(sites or {}).get(name, ""),
        )
        for name in targets
    ]
    return plan_copies(index, found, copies=copies, holding=set(holding), readable=set(readable), sites=sites or {})


def moves(plan: CopyPlan) -> list[tuple[int, str, str]]:
    return sorted((int(one.object.object_id, 16), one.object.device, one.target.name) for one in plan.copyings)


def test_copies_go_to_the_least_filled_of_the_other_devices() -> None:
    plan = planned([stored(1, "a", 300), stored(2, "b", 100), stored(3, "c", 100)])

    assert moves(plan) == [(1, "a", "b"), (2, "b", "a"), (3, "c", "a")]
    assert plan.missing_count == 0


def test_what_lies_on_enough_devices_is_left_alone() -> None:
    assert moves(planned([stored(1, "a"), stored(1, "b")])) == []


def test_three_copies_lie_on_three_devices() -> None:
    assert moves(planned([stored(1, "a")], copies=3)) == [(1, "a", "b"), (1, "a", "c")]


def test_a_copy_goes_to_another_site_where_there_is_one() -> None:
    sites = {"a": "attic", "b": "attic", "c": "cellar"}

    assert moves(planned([stored(1, "a", 500), stored(2, "a", 400)], sites=sites)) == [(1, "a", "c"), (2, "a", "c")]


@pytest.mark.parametrize(
    ("objects", "options", "missing", "why"),
    [
        ([stored(1, "a")], {"copies": 3, "targets": "ab"}, 1, [NO_ROOM]),
        ([stored(1, "a")], {"rooms": {"b": 10, "c": 10}}, 1, [NO_ROOM]),
        ([stored(1, "x")], {"holding": "abcx"}, 1, ["no sound copy is left to make 1 of them from"]),
        ([stored(1, "a", is_damaged=True)], {}, 2, ["no sound copy is left to make 2 of them from"]),
        (
            [stored(1, "a", is_damaged=True), stored(2, "a")],
            {"targets": "a"},
            3,
            ["no sound copy is left to make 2 of them from", NO_ROOM],
        ),
    ],
    ids=["too few devices", "no room", "its only device is away", "the only one is damaged", "both"],
)
def test_copies_that_cannot_be_made_are_counted_and_the_reason_is_said(
    objects: list[StoredObject], options: dict[str, object], missing: int, why: list[str]
) -> None:
    plan = planned(objects, **options)  # type: ignore[arg-type]

    assert (plan.missing_count, plan.why_missing) == (missing, why)


def test_nothing_is_said_where_no_copy_is_missing() -> None:
    assert planned([stored(1, "a")]).why_missing == []


def test_an_object_on_a_device_that_is_away_counts_and_one_on_a_dead_device_does_not() -> None:
    away = planned([stored(1, "a"), stored(1, "x")], holding="abcx")
    dead = planned([stored(1, "a"), stored(1, "x")], holding="abc")

    assert (moves(away), moves(dead)) == ([], [(1, "a", "b")])


def test_parts_of_a_segment_are_copied_each_for_itself() -> None:
    first = stored(1, "a", 50, parts=((0, 50),))
    second = stored(2, "b", 50, segment_id=first.segment_id, parts=((50, 50),))

    assert moves(planned([first, second])) == [(1, "a", "b"), (2, "b", "a")]


def test_a_device_that_has_a_part_of_a_segment_gets_the_rest_of_it() -> None:
    part = stored(2, "c", 40, segment_id=f"{1:032x}", parts=((0, 40),))

    plan = planned([stored(1, "a", 100), part])

    assert moves(plan) == [(1, "a", "c")]


def test_what_another_device_has_as_a_part_of_more_is_a_copy() -> None:
    part = stored(2, "c", 40, segment_id=f"{1:032x}", parts=((0, 40),))

    assert moves(planned([stored(1, "a", 100), part, stored(1, "b", 100)])) == []
