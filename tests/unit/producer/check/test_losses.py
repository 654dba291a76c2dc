"""What snapshots have lost: the ranges that no device has whole, and the files that lie there."""

from __future__ import annotations

from typing import Any

import pytest

from kit.models.objects import stored_object
from kit.models.sealed import sealed_tree
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tree import Tree
from producer.check.losses import Damage, LostFile, LostFiles, damage_of, lost_ranges
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Places

SEGMENT = f"{1:032x}"


def on(device: str, **fields: Any) -> StoredObject:
    return stored_object(1, device=device, device_id=device * 32, **fields)


def ranges(
    objects: list[StoredObject], damages: list[Damage], present: str = "ab", doubtful: list[StoredObject] | None = None
) -> list[tuple[int, int]]:
    devices = {name * 32 for name in present}
    lost = lost_ranges({SEGMENT: objects}, damages, devices, {row.key for row in doubtful or []})
    return [(one.offset_bytes, one.size_bytes) for one in lost.get(SEGMENT, [])]


def test_what_another_device_has_whole_is_not_lost() -> None:
    first, second = on("a"), on("b")

    assert ranges([first, second], [damage_of(first, "damaged", "")]) == []
    assert ranges([first, second], [], present="b") == []


def test_only_what_is_damaged_in_both_copies_is_lost_and_it_is_named_once() -> None:
    first, second = on("a"), on("b")
    damages = [damage_of(first, "damaged", "", [(0, 30)]), damage_of(second, "damaged", "", [(20, 40)])]

    assert ranges([first, second], damages) == [(20, 10)]


def test_a_copy_that_was_found_damaged_before_makes_up_for_nothing() -> None:
    first, second = on("a"), on("b")

    assert ranges([first, second], [damage_of(first, "missing", "")], doubtful=[second]) == [(0, 100)]


def test_the_ranges_of_a_part_are_counted_in_its_segment() -> None:
    part = on("a", size_bytes=40, parts=((10, 20), (60, 20)))

    assert ranges([part], [damage_of(part, "damaged", "", [(10, 20)])]) == [(20, 10), (60, 10)]


def test_a_segment_that_no_index_has_is_lost() -> None:
    assert [offset for offset, _ in ranges([], [])] == [0]


@pytest.fixture
def tree() -> Tree:
    places = Places(segment_ids=[SEGMENT], segments=[0, 0, -1], stream_offsets_bytes=[0, 60, 0])
    batch = EntryBatch(
        source="src",
        directory="d",
        names=["one", "two", "none"],
        kinds="fff",
        sizes_bytes=[60, 40, 0],
        mtimes_ns=[0, 0, 0],
        ctimes_ns=[0, 0, 0],
        modes=[0o644] * 3,
        uids=[0] * 3,
        gids=[0] * 3,
        places=places,
    )
    return sealed_tree([batch])


def test_only_the_files_that_meet_a_lost_range_are_named_with_what_they_lack(tree: Tree) -> None:
    row, named = on("a"), list[tuple[str, LostFile]]()
    files = LostFiles(lost_ranges({SEGMENT: [row]}, [damage_of(row, "damaged", "", [(50, 5), (90, 10)])], {"a" * 32}))

    counted = files.of(tree, lambda source, file: named.append((source, file)))

    assert counted == (2, 15)
    lacking = {(source, file.path, file.size_bytes) for source, file in named}
    assert lacking == {("src", "d/one", 5), ("src", "d/two", 10)}


def test_a_snapshot_that_shares_the_part_counts_the_files_and_names_none_again(tree: Tree) -> None:
    row, named = on("a"), list[str]()
    files = LostFiles(lost_ranges({SEGMENT: [row]}, [damage_of(row, "missing", "")], {"a" * 32}))

    first, second = (files.of(tree, lambda source, file: named.append(file.path)) for _ in range(2))

    assert first == second == (2, 100)
    assert sorted(named) == ["d/one", "d/two"]
