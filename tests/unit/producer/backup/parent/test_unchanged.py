"""When a file counts as unchanged: a table of what differs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from producer.backup.parent.unchanged import CLOCK_STEP_NS, Rules, is_whole
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_PLACES, PlacesWriter

BEGAN_NS = 1_000 * CLOCK_STEP_NS
EARLIER_NS = BEGAN_NS - 2 * CLOCK_STEP_NS


def one_file(**columns: Any) -> EntryBatch:
    writer = PlacesWriter(1)
    writer.add_whole(0, "a" * 32, 0)
    batch = EntryBatch(
        source="src",
        directory="",
        names=["f"],
        kinds="f",
        modes=[0o644],
        uids=[0],
        gids=[0],
        mtimes_ns=[EARLIER_NS],
        ctimes_ns=[EARLIER_NS],
        sizes_bytes=[7],
        inodes=[11],
        places=writer.places(),
    )
    return replace(batch, **columns)


@pytest.mark.parametrize(
    ("columns", "rules", "is_same"),
    [
        ({}, {}, True),
        ({"sizes_bytes": [8]}, {}, False),
        ({"mtimes_ns": [EARLIER_NS + 1]}, {}, False),
        ({"ctimes_ns": [EARLIER_NS + 1]}, {}, False),
        ({"ctimes_ns": [EARLIER_NS + 1]}, {"compares_ctime": False}, True),
        ({"inodes": [12]}, {}, False),
        ({"inodes": [12]}, {"compares_inode": False}, True),
        ({"modes": [0o600]}, {}, True),
    ],
)
def test_what_must_be_equal(columns: dict[str, Any], rules: dict[str, Any], is_same: bool) -> None:
    assert Rules(began_ns=BEGAN_NS, **rules).is_same(one_file(**columns), 0, one_file(), 0) is is_same


@pytest.mark.parametrize(
    ("column", "rules"),
    [("ctimes_ns", {}), ("mtimes_ns", {"compares_ctime": False})],
)
def test_a_file_that_changed_while_the_parent_walked_is_never_trusted(column: str, rules: dict[str, Any]) -> None:
    for late_ns in (BEGAN_NS - CLOCK_STEP_NS, BEGAN_NS, BEGAN_NS + 10 * CLOCK_STEP_NS):
        late = one_file(**{column: [late_ns]})
        assert not Rules(began_ns=BEGAN_NS, **rules).is_same(late, 0, late, 0)


def test_a_file_that_somebody_dated_2037_is_trusted_by_its_time_of_change() -> None:
    dated = one_file(mtimes_ns=[2_114_380_800_000_000_000])
    assert Rules(began_ns=BEGAN_NS).is_same(dated, 0, dated, 0)


def test_another_kind_is_not_the_same() -> None:
    assert not Rules(began_ns=BEGAN_NS).is_same(one_file(), 0, one_file(kinds="h"), 0)


@pytest.mark.parametrize(
    ("columns", "whole"),
    [
        ({}, True),
        ({"places": NO_PLACES}, False),
        ({"places": NO_PLACES, "sizes_bytes": [0]}, True),
        ({"unread": {"f": ("unreadable", "EIO")}}, False),
        ({"unsettled": ["f"]}, False),
    ],
)
def test_only_what_the_parent_has_completely_is_taken_over(columns: dict[str, Any], whole: bool) -> None:
    assert is_whole(one_file(**columns), 0) is whole
