"""The devices of a command that reads a backup, if neither flags nor the configuration name them."""

from __future__ import annotations

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
        return _folders(catalog.devices.all(catalog.snapshots.find(snapshot).pool_id))


def all_devices(call: Call) -> dict[str, Path]:
    """Every device that the catalog knows."""
    with opened_catalog(call) as catalog:
        return _folders(catalog.devices.all())


def _folders(rows: list[DeviceRow]) -> dict[str, Path]:
    # Sorted by name; if two devices share a name, the one recorded last comes first and wins.
    folders: dict[str, Path] = {}
    for row in rows:
        folders.setdefault(row.name, Path(row.path))
    return folders
