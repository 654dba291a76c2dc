"""A part made of another one is the part that would be made of all its entries."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from producer.listing.columns import cut
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place, PlacesWriter
from producer.listing.tree.patched_part import patched_part
from producer.listing.tree.tree_part import TreePart, encode_tree_part

A, B, C = "a" * 32, "b" * 32, "c" * 32
FIRST = 1000


def folder(number: int, *, holder: str = A, **columns: Any) -> EntryBatch:
    """Four files, each as a whole in a segment, the second in one of its own."""
    writer = PlacesWriter(4)
    for place in range(4):
        writer.add_whole(place, B if place == 1 else holder, place)
    batch = EntryBatch(
        source="src",
        directory=f"dir{number}",
        first_entry=FIRST + 4 * number,
        names=["a", "b", "c", "d"],
        kinds="ffff",
        modes=[0o644] * 4,
        uids=[0] * 4,
        gids=[0] * 4,
        mtimes_ns=[0] * 4,
        ctimes_ns=[0] * 4,
        sizes_bytes=[9] * 4,
        inodes=list(range(4)),
        places=writer.places(),
    )
    return replace(batch, **columns)


def in_pieces(count: int) -> dict[str, Any]:
    """The first file lies in so many places, each in a segment of its own."""
    writer = PlacesWriter(4)
    writer.add(0, "a", count, [Place(f"{at:032x}", 5, at, 1) for at in range(count)])
    writer.add_whole(1, C, 0)
    return {"sizes_bytes": [count, 9, 9, 9], "places": writer.places()}


def made_of(batches: list[EntryBatch]) -> TreePart:
    return encode_tree_part(iter(batches))


def patched(before: list[EntryBatch], changed: list[EntryBatch]) -> TreePart:
    part = made_of(before)
    maps = {one.digest: one.data for one in part.maps}
    return patched_part(part.data, FIRST, changed, maps.__getitem__)


FOLDERS = [folder(number) for number in range(5)]
CHANGED = [
    pytest.param({}, id="nothing"),
    pytest.param({"holder": C}, id="another segment"),
    pytest.param({"mtimes_ns": [1, 2, 3, 4], "modes": [0o600] * 4}, id="metadata"),
    pytest.param({"unread": {"a": ("x", "y")}, "unsettled": ["d"]}, id="not read"),
    pytest.param({"attributes": {"b": 0}, "attribute_sets": [{"user.a": "eA=="}]}, id="attributes"),
    pytest.param({"kinds": "fffl", "sizes_bytes": [9, 9, 9, -1], "links": {"d": "a"}}, id="a link"),
    pytest.param(in_pieces(3), id="pieces"),
    pytest.param(in_pieces(100), id="maps"),
]


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("before", [pytest.param({}, id="plain"), *CHANGED[4:]])
@pytest.mark.parametrize("numbers", [[0], [1, 4], [0, 1, 2, 3, 4]])
def test_it_is_the_part_that_would_be_made(change: dict[str, Any], before: dict[str, Any], numbers: list[int]) -> None:
    old = [folder(1, **before) if at == 1 else one for at, one in enumerate(FOLDERS)]
    changed = [folder(number, **change) for number in numbers]
    new = [*old]
    for one, number in zip(changed, numbers, strict=True):
        new[number] = one
    assert patched(old, changed) == made_of(new)


@pytest.mark.parametrize("change", CHANGED[1:])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 3), (2, 4)])
def test_a_change_of_some_entries_of_a_line_leaves_the_others(change: dict[str, Any], start: int, stop: int) -> None:
    whole = folder(2, **change)
    kept = FOLDERS[2]
    part = patched(FOLDERS, [cut(whole, start, stop)])
    again = patched(FOLDERS, [cut(kept, 0, start), cut(whole, start, stop), cut(kept, stop, 4)])
    assert part == again
    assert patched([*FOLDERS[:2], whole, *FOLDERS[3:]], [kept]) == made_of(FOLDERS)
