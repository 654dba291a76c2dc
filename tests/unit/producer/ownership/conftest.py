"""Owners meet in the catalog, so every test here runs on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from producer.catalog.catalog import Catalog


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    with Catalog(catalog_url) as opened:
        yield opened
