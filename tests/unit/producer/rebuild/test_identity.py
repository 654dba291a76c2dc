"""Whose devices these are after a rebuild."""

from __future__ import annotations

import pytest

from producer.catalog.catalog import Catalog
from producer.rebuild.identity import catalog_to_become
from tasks.generations import Generation

OWN, LOST, THIRD = "1" * 32, "2" * 32, "3" * 32


@pytest.mark.parametrize(
    ("marked", "becomes"),
    [
        ([LOST, LOST], LOST),
        ([LOST, ""], LOST),
        ([OWN, LOST], ""),
        ([OWN, OWN], ""),
        ([LOST, THIRD], ""),
        (["", ""], ""),
        ([], ""),
    ],
    ids=["the lost one", "one device names nobody", "one is its own", "its own", "of two", "nobody's", "no device"],
)
def test_a_catalog_takes_the_place_of_one_that_alone_is_named(marked: list[str], becomes: str) -> None:
    assert catalog_to_become(OWN, marked) == becomes


def test_a_catalog_that_took_a_place_knows_what_the_devices_know(catalog_url: str) -> None:
    with Catalog(catalog_url) as catalog:
        own = catalog.generations.raise_()
        found = Generation(catalog_id=LOST, number=own.number, token="f" * 32)

        catalog.generations.become(LOST)
        catalog.generations.learn(found)
        catalog.generations.learn(found)

        assert catalog.generations.knows(found)
        assert catalog.generations.raise_().number == own.number + 1
    with Catalog(catalog_url) as again:
        assert again.generations.catalog_id == LOST
