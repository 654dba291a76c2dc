from __future__ import annotations

from collections.abc import Callable

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.listing import ListingPartRow
from tasks.errors import CatalogError

PARTS = [
    ListingPartRow(number=0, first_entry=0, entries_count=10, data=b"\x00\xffzero"),
    ListingPartRow(number=1, first_entry=10, entries_count=1, data=b"one"),
    ListingPartRow(number=2, first_entry=11, entries_count=9, data=b"two"),
]


@pytest.fixture
def listed(catalog: Catalog, begin_snapshot: Callable[..., str]) -> str:
    snapshot, other = begin_snapshot(), begin_snapshot()
    for part in PARTS:
        catalog.listing.add_part(snapshot, part.number, part.first_entry, part.entries_count, part.data)
        catalog.listing.add_part(other, part.number, part.first_entry, part.entries_count, b"other")
    return snapshot


def test_the_parts_of_a_listing_come_back_unchanged_and_in_order(catalog: Catalog, listed: str) -> None:
    assert list(catalog.listing.parts(listed)) == PARTS


def test_a_part_is_read_by_its_number(catalog: Catalog, listed: str) -> None:
    assert catalog.listing.first_entries(listed) == [0, 10, 11]
    assert catalog.listing.part(listed, 1) == PARTS[1]
    with pytest.raises(CatalogError, match="no part 3"):
        catalog.listing.part(listed, 3)
