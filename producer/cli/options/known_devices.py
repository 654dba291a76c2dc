"""The devices of a command that reads a backup, if neither flags nor the configuration name them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog

if TYPE_CHECKING:
    from producer.catalog.tables.devices import DeviceRow


def devices_of(call: Call, snapshot: str) -> dict[str, Path]:
    """The devices of the snapshot's pool, in the folders where the catalog last saw them.

    Raises UsageError for an unknown snapshot.
    """
    with opened_catalog(call) as catalog:
        return places_of(catalog.devices.last_recorded_first(catalog.snapshots.find(snapshot).pool_id))


def all_devices(call: Call) -> dict[str, Path]:
    """Every device that the catalog knows."""
    with opened_catalog(call) as catalog:
        return places_of(catalog.devices.last_recorded_first())


def places_of(rows: Iterable[DeviceRow]) -> dict[str, Path]:
    """Name → folder, of devices that were recorded in this order, the last first.

    One that is lost is looked for nowhere.  A folder counts once: another device may have taken the place of an earlier
    one, and the marker in it says which it is.  A name that several devices bear in different folders is numbered:
    ``a``, ``a-2``.
    """
    places: dict[str, Path] = {}
    for row in (row for row in rows if row.state != "lost" and row.path):
        if Path(row.path) not in places.values():
            places[_free_name(row.name, places)] = Path(row.path)
    return dict(sorted(places.items()))


def _free_name(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([name], numbered) if candidate not in taken)
