"""Which objects are repacked, and where to: the most dead first, until what stays dead is within the limit."""

from __future__ import annotations

from typing import Any

import pytest

from producer.catalog.tables.objects import StoredObject
from producer.pool.copies import CopyTarget
from producer.requests import RepackLimits
from producer.retention.pruning.repacking.selection import Candidate, Repack, place, select

KIB = 1024


def candidate(name: str, dead: int, *, size: int = 100, on: str = "a", why_not: str = "") -> Candidate:
    """``dead`` of ``size`` KiB; stored as large as it is, on each device of ``on``."""
    copies = tuple(
        StoredObject(
            object_id=name,
            segment_id=f"segment of {name}",
            device_id=device,
            device=device,
            snapshot_id="",
            size_bytes=size * KIB,
            bytes_stored=size * KIB,
            trailer_digest=b"",
        )
        for device in on
    )
    living = ((0, (size - dead) * KIB),) if dead < size else ()
    return Candidate(copies=copies, living=living, why_not=why_not)


MIXED = [candidate("w", 90), candidate("x", 50), candidate("y", 10), candidate("z", 70)]


def limits(unused: str = "5%", **others: Any) -> RepackLimits:
    if unused == "unlimited":
        return RepackLimits(max_unused_percent=None, **others)
    if unused.endswith("%"):
        return RepackLimits(max_unused_percent=float(unused[:-1]), **others)
    return RepackLimits(max_unused_percent=None, max_unused_bytes=int(unused) * KIB, **others)


@pytest.mark.parametrize(
    ("candidates", "bounds", "chosen", "unused"),
    [
        # 220 of 1000 KiB are dead, so 780 are used: of 820 KiB, 41 would be 5 %.
        (MIXED, limits("5%"), "w z x", 10),
        (MIXED, limits("10%"), "w z", 60),
        (MIXED, limits("0%"), "w z x y", 0),
        (MIXED, limits("100%"), "", 220),
        (MIXED, limits("unlimited"), "", 220),
        (MIXED, limits("220"), "", 220),
        (MIXED, limits("219"), "w", 130),
        (MIXED, limits("0%", max_repack_bytes=200 * KIB), "w z", 60),
        (MIXED, limits("0%", max_repack_bytes=99 * KIB), "", 220),
        # Copies count each; a copy is repacked with the others.
        ([candidate("w", 60, on="ab"), candidate("x", 50)], limits("0%", max_repack_bytes=100 * KIB), "x", 120),
        # What must stay counts as dead, and others make up for it.
        ([candidate("w", 90, why_not="read"), candidate("x", 50), candidate("y", 10)], limits("90"), "x y", 90),
        ([candidate("w", 100)], limits("5%"), "w", 0),
        ([], limits("0%"), "", 0),
    ],
)
def test_the_most_dead_are_repacked_until_the_rest_is_within_the_limit(
    candidates: list[Candidate], bounds: RepackLimits, chosen: str, unused: int
) -> None:
    found = select(candidates, bytes_stored=1000 * KIB, limits=bounds)

    assert [one.object.object_id for one in found.chosen] == chosen.split()
    assert found.bytes_unused == unused * KIB


def placed(
    chosen: list[Candidate],
    loads: dict[str, int],
    *,
    room: dict[str, int] | None = None,
    spare: int = 0,
    batch: int = 10**6,
    sites: dict[str, str] | None = None,
    unreachable: set[tuple[str, str]] | None = None,
) -> list[str]:
    """What goes where, as "object: devices"; loads, rooms and the batch in KiB."""
    sites = sites or {}
    targets = [
        CopyTarget(
            name=name,
            device_id=name,
            load_bytes=load * KIB,
            room_bytes=(room or {}).get(name, 10**6) * KIB,
            site=sites.get(name, ""),
            spare_bytes=spare * KIB,
        )
        for name, load in loads.items()
    ]
    repacks = place(chosen, targets, sites=sites, batch_bytes=batch * KIB, unreachable=unreachable or set())
    return [_words(repack) for repack in repacks]


def _words(repack: Repack) -> str:
    return f"{repack.candidate.object.object_id}: {' '.join(target.name for target in repack.targets)}".rstrip(": ")


def test_what_is_needed_goes_to_the_least_filled_devices_so_that_they_level() -> None:
    chosen = [candidate(name, 40) for name in "wxyz"]

    assert placed(chosen, {"a": 1000, "b": 100}) == ["w: b", "x: b", "y: b", "z: b"]
    assert placed(chosen, {"a": 500, "b": 400}) == ["w: b", "x: a", "y: a", "z: a"]


def test_copies_go_to_as_many_devices_as_before_and_to_other_sites_first() -> None:
    chosen = [candidate("w", 40, on="ab")]

    assert set(placed(chosen, {"a": 900, "b": 300, "c": 100})[0].split(": ")[1].split()) == {"b", "c"}
    assert placed(chosen, {"a": 900, "b": 300, "c": 100}, sites={"a": "home", "b": "away", "c": "away"}) == ["w: c a"]


def test_what_no_device_has_room_for_waits() -> None:
    chosen = [candidate("w", 40, size=1000), candidate("x", 40)]

    assert placed(chosen, {"a": 0, "b": 0}, room={"a": 130, "b": -5}) == ["x: a"]


def test_a_device_without_room_takes_into_its_reserve_what_replaces_an_object_of_its_own() -> None:
    chosen = [candidate("w", 40, on="a"), candidate("x", 40, on="b"), candidate("y", 40, on="a")]

    assert placed(chosen, {"a": 0, "b": 0}, room={"a": 0, "b": -200}, spare=130) == ["w: a"]
    assert placed(chosen, {"a": 0, "b": 0}, room={"a": 0, "b": 130}, spare=130) == ["w: b", "x: b", "y: a"]


def test_a_batch_ends_when_it_is_full() -> None:
    chosen = [candidate(name, 40) for name in "wxyz"]

    assert placed(chosen, {"a": 0}, batch=100) == ["w: a", "x: a"]


def test_a_device_whose_worker_cannot_read_an_object_is_passed_over() -> None:
    assert placed([candidate("w", 40)], {"a": 900, "b": 0}, unreachable={("a", "b")}) == ["w: a"]


def test_a_copy_goes_where_the_new_object_is_reached() -> None:
    of_both = candidate("w", 40, on="ab")

    assert placed([of_both], {"a": 0, "b": 900, "c": 100}) == ["w: a c"]
    assert placed([of_both], {"a": 0, "b": 900, "c": 100}, unreachable={("a", "c")}) == ["w: a b"]
    assert placed([of_both], {"a": 0, "b": 900, "c": 100}, unreachable={("a", "c"), ("a", "b")}) == []


def test_what_nothing_needs_any_more_goes_nowhere() -> None:
    assert placed([candidate("w", 100)], {"a": 0}, room={"a": 0}) == ["w"]
