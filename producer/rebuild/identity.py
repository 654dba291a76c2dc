"""Whose devices these are: a rebuilt catalog takes the place of the one that was lost.

A device's marker names the one catalog that may delete on it, and a catalog whose generation is behind that of a device
changes nothing there (docs/manifest.md).  Only reading the devices mends either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from producer.catalog.catalog import Catalog
from producer.pool.members import is_ahead
from tasks.receipts import DeviceReport


def catalog_to_become(own_id: str, marked: Collection[str]) -> str:
    """The catalog whose place this one takes; "" if it stays what it is.

    ``marked``: the catalogs that the devices name.  A catalog that one of them names stays what it is, and nobody can
    take the place of several.
    """
    others = set(marked) - {""}
    return "" if own_id in others or len(others) != 1 else next(iter(others))


def may_not_delete(catalog: Catalog, reports: Collection[DeviceReport]) -> bool:
    """Whether this catalog can prune on these devices only once it has taken a place, or learned what they know."""
    other = catalog_to_become(catalog.generations.catalog_id, [report.catalog_id for report in reports])
    return bool(other) or any(is_ahead(catalog, report) for report in reports)


def take_place(catalog: Catalog, reports: Iterable[DeviceReport]) -> str:
    """Become the catalog that the devices name; returns its id, or "" when this one stays what it is."""
    other = catalog_to_become(catalog.generations.catalog_id, [report.catalog_id for report in reports])
    if other:
        catalog.generations.become(other)
    return other


def learn_generations(catalog: Catalog, reports: Iterable[DeviceReport]) -> None:
    """Take over the generations that the devices have: all that came with them has been read."""
    for report in reports:
        if report.generation is not None and report.generation.catalog_id == catalog.generations.catalog_id:
            catalog.generations.learn(report.generation)
