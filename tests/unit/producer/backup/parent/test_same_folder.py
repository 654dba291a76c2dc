"""A folder in which nothing differs is taken over at once; at any difference its files are looked at one by one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.sealed import sealed_tree
from producer.backup.parent.merge import Merge
from producer.backup.parent.same_folder import places_of_same
from producer.backup.parent.unchanged import CLOCK_STEP_NS, Rules
from producer.catalog.known_parts import KnownPart
from producer.catalog.sound import Held
from producer.listing.columns import cut, joined
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_PLACES, Place, PlacesWriter

BEGAN_NS = 1_000 * CLOCK_STEP_NS
OLD_NS = BEGAN_NS - 2 * CLOCK_STEP_NS
WHOLE, OTHER = "a" * 32, "b" * 32


def folder(**columns: Any) -> EntryBatch:
    """A file, a folder that changed today, an empty file, and a file again, as the parent has them."""
    writer = PlacesWriter(4)
    writer.add_whole(0, WHOLE, 100)
    writer.add_whole(3, WHOLE, 0)
    batch = EntryBatch(
        source="src",
        directory="d",
        names=["a", "b", "c", "d"],
        kinds="fdff",
        modes=[0o644] * 4,
        uids=[0] * 4,
        gids=[0] * 4,
        mtimes_ns=[OLD_NS, BEGAN_NS, OLD_NS, OLD_NS],
        ctimes_ns=[OLD_NS, 0, OLD_NS, OLD_NS],
        sizes_bytes=[7, -1, 0, 9],
        inodes=[11, 0, 12, 13],
        places=writer.places(),
    )
    return replace(batch, **columns)


#: As a walk sees it today.
WALKED = folder(
    places=NO_PLACES, mtimes_ns=[OLD_NS, BEGAN_NS + 1, OLD_NS, OLD_NS], ctimes_ns=[OLD_NS, 5, OLD_NS, OLD_NS]
)
RULES = Rules(began_ns=BEGAN_NS)


@pytest.mark.parametrize("parent", [[folder()], [cut(folder(), 0, 2), cut(folder(), 2, 4)]], ids=["whole", "cut"])
def test_nothing_differs(parent: list[EntryBatch]) -> None:
    assert places_of_same(WALKED, joined(parent), RULES, {WHOLE}) == folder().places


@pytest.mark.parametrize(
    "columns",
    [
        {"names": ["a", "b", "c", "e"]},
        {"kinds": "fdfl"},
        {"sizes_bytes": [8, -1, 0, 9]},
        {"mtimes_ns": [OLD_NS, BEGAN_NS, OLD_NS, OLD_NS + 1]},
        {"ctimes_ns": [OLD_NS, 0, OLD_NS, OLD_NS + 1]},
        {"ctimes_ns": [OLD_NS, 0, OLD_NS, BEGAN_NS]},
        {"inodes": [11, 0, 12, 14]},
        {"data_ranges": {"a": [(0, 3)]}},
    ],
)
def test_something_in_the_folder_differs(columns: dict[str, Any]) -> None:
    assert places_of_same(replace(WALKED, **columns), folder(), RULES, {WHOLE}) is None


def test_a_file_that_changed_while_the_parent_walked_is_never_trusted() -> None:
    late = {"ctimes_ns": [OLD_NS, 0, OLD_NS, BEGAN_NS]}
    assert places_of_same(replace(WALKED, **late), folder(**late), RULES, {WHOLE}) is None


def test_what_does_not_count_may_differ() -> None:
    other = replace(WALKED, inodes=[1, 0, 2, 3], ctimes_ns=[BEGAN_NS] * 4)
    rules = Rules(began_ns=BEGAN_NS, compares_ctime=False, compares_inode=False)
    assert places_of_same(other, folder(), rules, {WHOLE}) == folder().places


@pytest.mark.parametrize(
    "parent", [folder(places=NO_PLACES), folder(unread={"a": ("x", "y")}), folder(unsettled=["d"])]
)
def test_a_file_that_the_parent_does_not_have_as_a_whole(parent: EntryBatch) -> None:
    assert places_of_same(WALKED, parent, RULES, {WHOLE}) is None


def test_a_file_in_several_places_or_in_what_is_lost() -> None:
    writer = PlacesWriter(4)
    writer.add_whole(0, WHOLE, 100)
    writer.add(3, "d", 9, [Place(WHOLE, 0, 0, 4), Place(OTHER, 0, 4, 5)])
    assert places_of_same(WALKED, folder(places=writer.places()), RULES, {WHOLE, OTHER}) is None
    assert places_of_same(WALKED, folder(), RULES, {OTHER}) is None


def test_a_folder_without_files_does_not_part_what_is_unchanged() -> None:
    only_folders = folder(
        directory="", names=["d", "e"], kinds="dd", places=NO_PLACES, inodes=[0] * 2, sizes_bytes=[-1] * 2,
        modes=[0o755] * 2, uids=[0] * 2, gids=[0] * 2, mtimes_ns=[OLD_NS] * 2, ctimes_ns=[0] * 2,
    )  # fmt: skip
    tree = sealed_tree([only_folders, folder(first_entry=2)])
    merge = Merge(tree, ["src"], RULES, Held(whole={WHOLE}))
    for batch in (only_folders, replace(WALKED, first_entry=2, mtimes_ns=folder().mtimes_ns)):
        merge.merged(batch)
    assert merge.known_parts() == [KnownPart(part=part) for part in tree.parts]
