"""Removes stale locks: those whose owners are gone."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.ownership.lock_holder import volume_lock
from producer.ownership.verdict import Verdict, verdict


class SeenLock(Struct, frozen=True, kw_only=True):
    """A lock, what its owner is, and whether it has been removed."""

    lock: LockRow
    owner: Verdict
    removed: bool = False


def look(catalog: Catalog, volumes: Collection[str] = ()) -> list[SeenLock]:
    """The locks of these volumes, or all; changes nothing."""
    wanted = {volume_lock(volume) for volume in volumes}
    return [
        SeenLock(lock=lock, owner=verdict(lock.owner))
        for lock in catalog.locks.all()
        if not wanted or lock.name in wanted
    ]


def unlock(catalog: Catalog, volumes: Collection[str] = ()) -> list[SeenLock]:
    """As :func:`look`, and remove those whose owners are gone; such an owner loses its other locks too."""
    seen = look(catalog, volumes)
    gone = {row.lock.owner.owner_id: row.lock.owner for row in seen if row.owner == "gone"}
    if not volumes:
        gone |= {owner.owner_id: owner for owner in catalog.owners.all() if verdict(owner) == "gone"}
    removed = {owner_id for owner_id, owner in gone.items() if catalog.owners.remove(owner)}
    return [SeenLock(lock=row.lock, owner=row.owner, removed=row.lock.owner.owner_id in removed) for row in seen]
