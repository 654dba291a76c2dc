"""The snapshot that a person means by a name who also names devices, or has them configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.names import parse_name
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.host.places import at_agents, folders_here


def snapshot_meant(catalog: Catalog, name: str, devices: Mapping[str, Path]) -> SnapshotRow:
    """By time, the one in the pools of these devices as the catalog last saw them; raises UsageError.

    No device is asked: what they hold now is seen by those who read them.
    """
    return catalog.snapshots.find(name, pools=pools_meant(catalog, name, lambda: _recorded_pools(catalog, devices)))


def pools_meant(catalog: Catalog, name: str, pools: Callable[[], set[str]]) -> set[str] | None:
    """Where the catalog knows several pools, those of the devices, if they have anything of the volume.

    None: any, so that the error of who reads these devices says which pool they are of.
    """
    meant, snapshots = parse_name(name), catalog.snapshots
    if isinstance(meant, str) or len(snapshots.pools()) < 2:
        return None
    of_devices = pools()
    volumes = snapshots.volumes(pools=of_devices)
    return of_devices if (meant.volume in volumes if meant.volume else volumes) else None


def _recorded_pools(catalog: Catalog, devices: Mapping[str, Path]) -> set[str]:
    places = {str(path) for path in (*devices.values(), *folders_here(devices).values())}
    at_place: dict[str, str] = {}
    for row in catalog.devices.last_recorded_first():
        # A device that is lost, or that another one has replaced, is at this place no more.
        place = row.path if row.path in places else str(at_agents(row.name))
        if row.state != "lost" and place in places:
            at_place.setdefault(place, row.pool_id)
    return set(at_place.values())
