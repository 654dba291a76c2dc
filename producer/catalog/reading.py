"""Listings out of the catalog."""

from __future__ import annotations

from producer.catalog.catalog import Catalog
from producer.listing.reader import ListingReader


def listing_reader(catalog: Catalog, snapshot_id: str) -> ListingReader:
    """Random access to a snapshot's entries; only the parts in use are in memory."""
    return ListingReader(
        catalog.listing_first_entries(snapshot_id), lambda number: catalog.listing_part(snapshot_id, number).data
    )
