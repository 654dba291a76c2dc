"""Which objects can be read by parity that are missing or damaged, and through which device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import chain

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.parity.grouping import can_give, holders_of_objects
from tasks.groups import DeviceAt, GroupAt


class GroupPlace(Struct, frozen=True, kw_only=True):
    """``device``: whose worker reads the object from its group."""

    device: str
    device_id: str
    group: GroupAt


class GroupReads:
    """Belongs to the catalog's thread.  Reads the groups of the catalog once, when it is asked first."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __bool__(self) -> bool:
        """Whether there are any groups."""
        return bool(self._groups)

    @cached_property
    def _groups(self) -> dict[str, list[ParityGroup]]:
        """Object → its groups: there may be two while one replaces the other."""
        found: defaultdict[str, list[ParityGroup]] = defaultdict(list)
        for group in self._catalog.parity.groups():
            for member in group.members:
                found[member.object_id].append(group)
        return dict(found)

    def can_read(self, stored: StoredObject, device_ids: Collection[str]) -> bool:
        """Whether the object can be made from what is on these devices."""
        return self._group(stored, device_ids) is not None

    def place(self, stored: StoredObject, present: Mapping[str, str]) -> GroupPlace | None:
        """Where to read the object from its group.  ``present``: device id → name, of the devices that are there."""
        group = self._group(stored, present)
        if group is None:
            return None
        # By turns, so that all devices decode; any of them will do.
        ids = sorted(present)
        device_id = ids[int(stored.object_id[:8], 16) % len(ids)]
        devices = tuple(DeviceAt(name=name, device_id=key) for key, name in present.items())
        return GroupPlace(
            device=present[device_id], device_id=device_id, group=GroupAt(group_id=group.group_id, devices=devices)
        )

    def _group(self, stored: StoredObject, device_ids: Collection[str]) -> ParityGroup | None:
        for group in self._groups.get(stored.object_id, ()):
            if can_give(group, self._holders, device_ids):
                return group
        return None

    @cached_property
    def _holders(self) -> dict[str, set[str]]:
        """Member → the devices that have it, as far as anybody knows."""
        groups = {group.group_id: group for found in self._groups.values() for group in found}
        index = self._catalog.objects.of({member.segment_id for group in groups.values() for member in group.members})
        return holders_of_objects(chain.from_iterable(index.values()))
