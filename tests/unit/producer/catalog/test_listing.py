from __future__ import annotations

from collections.abc import Callable

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.rows import ListingPartRow

PARTS = [
    ListingPartRow(number=0, first_entry=0, entries_count=10, data=b"\x00\xffzero"),
    ListingPartRow(number=1, first_entry=10, entries_count=1, data=b"one"),
    ListingPartRow(number=2, first_entry=11, entries_count=9, data=b"two"),
]


@pytest.fixture
def listed(catalog: Catalog, begin_snapshot: Callable[..., str]) -> str:
    snapshot, other = begin_snapshot(), begin_snapshot()
    for part in PARTS:
        catalog.add_listing_part(snapshot, part.number, part.first_entry, part.entries_count, part.data)
        catalog.add_listing_part(other, part.number, part.first_entry, part.entries_count, b"other")
    return snapshot


def test_the_parts_of_a_listing_come_back_unchanged_and_in_order(catalog: Catalog, listed: str) -> None:
    assert list(catalog.listing_parts(listed)) == PARTS


@pytest.mark.parametrize(("entry", "part"), [(0, 0), (9, 0), (10, 1), (11, 2), (19, 2)])
def test_an_entry_is_in_the_part_that_covers_it(catalog: Catalog, listed: str, entry: int, part: int) -> None:
    assert catalog.listing_part_covering(listed, entry) == PARTS[part]


@pytest.mark.parametrize("entry", [-1, 20])
def test_an_entry_outside_the_listing_is_in_no_part(catalog: Catalog, listed: str, entry: int) -> None:
    assert catalog.listing_part_covering(listed, entry) is None
