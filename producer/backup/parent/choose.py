"""Which snapshot a backup is compared with, and what of it can be relied on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime

from producer.backup.parent.merge import Merge
from producer.backup.parent.unchanged import Rules
from producer.catalog.catalog import Catalog
from producer.catalog.sound import Held, held
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import Tree
from producer.pool.losses.missing import find_missing
from producer.pool.members import Member
from producer.requests import BackupRequest
from producer.run.session import RunSession
from tasks.errors import CatalogError, DamagedError, SegfleetError, UsageError


def parent_in_pool(catalog: Catalog, request: BackupRequest, pool_id: str) -> SnapshotRow | None:
    """The snapshot that the request names, or the newest sealed one of its volume in this pool; None without any.

    ``latest`` is one of the volume in this pool, too: the devices of another pool are not those of this backup.

    Raises UsageError for one that does not exist, or belongs to another volume or pool.
    """
    if request.force:
        return None
    if request.parent is not None:
        return _named(catalog, request.parent, request.volume, pool_id)
    newest = catalog.snapshots.last_of(request.volume)
    if newest is None or newest.pool_id == pool_id:
        return newest
    return next((row for row in catalog.snapshots.sealed_of(request.volume) if row.pool_id == pool_id), None)


def _named(catalog: Catalog, name: str, volume: str, pool_id: str) -> SnapshotRow:
    found = catalog.snapshots.find(name, volume=volume, pools={pool_id})
    if found.volume != volume:
        raise UsageError(
            f"snapshot {found.snapshot_id[:8]} is of volume {found.volume}, not of {volume}",
            hint=f"segfleet snapshots {volume} lists those that can be a parent",
        )
    if found.pool_id != pool_id:
        raise UsageError(
            f"snapshot {found.snapshot_id[:8]} lies on the devices of another pool",
            hint="name the devices that hold it, or another parent",
        )
    return found


def merge_with(
    session: RunSession,
    request: BackupRequest,
    parent: SnapshotRow,
    members: Mapping[str, Member],
    tree: Tree | None = None,
) -> Merge | None:
    """What merges the walk with the parent; None, said to the observer, when the parent cannot be read.

    ``tree``: the parent's, where it is at hand.
    """
    catalog, bad = session.catalog, list[SegfleetError]()
    try:
        tree = tree or catalog.trees.of(parent.snapshot_id)
        index = catalog.objects.of(tree.readable_segments(bad.append))
        if bad and len(bad) == len(tree.parts):
            raise bad[0]
    except (CatalogError, DamagedError) as error:
        session.observer.note(f"snapshot {parent.snapshot_id[:8]} cannot be compared ({error}); all files are read")
        return None
    usable = _usable(session, index, members)
    healable = frozenset(key for key in usable.partly if catalog.cells.of(key))
    names = [source.name for source in parent.sources]
    told = {str(error) for error in bad}
    if bad:
        session.observer.note(
            f"{len(bad)} of {len(tree.parts)} parts of snapshot {parent.snapshot_id[:8]} cannot be compared "
            f"({bad[0]}); their files are read"
        )

    def tell(error: SegfleetError) -> None:
        if str(error) not in told:
            told.add(str(error))
            session.observer.note(
                f"a part of snapshot {parent.snapshot_id[:8]} cannot be compared ({error}); its files are read"
            )

    rules = _rules(request, parent)
    return Merge(tree, names, rules, usable, session.on_file, healable=healable, on_damage=tell)


def _rules(request: BackupRequest, parent: SnapshotRow) -> Rules:
    return Rules(
        began_ns=_nanoseconds(parent.started_at),
        compares_ctime=not request.ignore_ctime,
        compares_inode=not request.ignore_inode and parent.hostname == platform.node(),
    )


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _usable(session: RunSession, index: Mapping[str, list[StoredObject]], members: Mapping[str, Member]) -> Held:
    """What devices have of the segments: those that are there are asked, and what is missing is recorded."""
    catalog = session.catalog
    lost = {device.device_id for device in catalog.devices.all() if device.state == "lost"}
    rows = [one for objects in index.values() for one in objects if one.device_id not in lost]
    missing, _ = find_missing(session, rows, members)
    with catalog.transaction():
        for key in missing:
            catalog.objects.mark(*key, is_damaged=True)
    return held(catalog, index)
