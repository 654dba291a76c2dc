"""Begins or resumes the snapshot of a backup, which keeps its parent from then on."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Sequence, Set
from datetime import datetime

from msgspec import Struct

from producer.backup.intake.known_tree import KnownTree
from producer.backup.intake.settle_pool import SettledPool
from producer.backup.parent.choose import merge_with, parent_in_pool
from producer.backup.parent.merge import Merge
from producer.backup.parent.merged import FileCounts
from producer.backup.parent.overlay import Overlay
from producer.catalog.known_parts import KnownPart
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotRow, SourceRow
from producer.configuration.values.sizes import format_size
from producer.observer import Observer
from producer.requests import BackupRequest
from producer.run.session import RunSession


class Begun(Struct, frozen=True, kw_only=True):
    """A snapshot of the catalog, and what the walk is merged with."""

    snapshot_id: str
    #: The same snapshot as an interrupted run left it; None: it is new.
    resumed: SnapshotRow | None
    #: The snapshot that the walk is compared with; "" for none.
    parent_id: str
    merge: Merge | None
    #: Whether the walk knows directories of the parent.
    knows_parent: bool
    overlay: Overlay | None

    @property
    def is_plain(self) -> bool:
        """Whether nothing but what differs is stored: healing, or a run before this one, may store others anew."""
        return self.resumed is None and not self.lost

    @property
    def lost(self) -> Set[str]:
        return frozenset() if self.merge is None else frozenset(self.merge.lost)

    @property
    def compared_bytes(self) -> int:
        return 0 if self.merge is None else self.merge.compared_bytes

    def counts(self, files_count: int) -> FileCounts:
        """``files_count``: all that the walk found."""
        return FileCounts(new=files_count) if self.merge is None else self.merge.counts

    def borrowed(self) -> Set[str]:
        """The segments of earlier snapshots that hold unchanged files, or what others are compared with."""
        of_parent = frozenset[str]() if self.merge is None else self.merge.borrowed | self.merge.compared
        return of_parent if self.overlay is None else of_parent | self.overlay.compared

    def known_parts(self) -> Sequence[KnownPart]:
        """What of the parent's tree the snapshot takes over."""
        return self.merge.known_parts() if self.merge is not None and self.is_plain else ()

    def tell_stored_again(self, observer: Observer) -> None:
        """Note the unchanged files that no device has whole."""
        counts = self.counts(0)
        if counts.again:
            files = "1 unchanged file" if counts.again == 1 else f"{counts.again} unchanged files"
            size = format_size(counts.again_bytes)
            observer.note(f"no device has {size} of {files} any more; it is stored again")


def begin_with_parent(
    session: RunSession,
    request: BackupRequest,
    resumed: SnapshotRow | None,
    started_at: datetime,
    pool: SettledPool,
    known: KnownTree | None,
) -> Begun:
    """Choose the parent in the pool, and begin the snapshot, or resume it if it is in the pool.

    ``known``: what the walk knows of an earlier snapshot, perhaps the parent.
    """
    catalog = session.catalog
    with catalog.transaction():
        parent = parent_in_pool(catalog, request, pool.pool_id)
        parent_id = "" if parent is None else parent.snapshot_id
        resumed = resumed if _can_resume(session, resumed, pool.pool_id) else None
        if resumed is not None:
            snapshot_id = resumed.snapshot_id
            _resume(session, request, resumed, parent_id)
        else:
            snapshot_id = uuid.uuid4().hex
            catalog.snapshots.begin(_new_snapshot(request, snapshot_id, started_at, pool.pool_id, parent_id))
    tree = None if known is None or known.known.snapshot_id != parent_id else known.tree
    merge = None if parent is None else merge_with(session, request, parent, pool.members, tree)
    if parent_id and merge is None:
        catalog.snapshots.set_parent(snapshot_id, "")
    live_ids = {member.device_id for member in pool.members.values() if member.is_live}
    return Begun(
        snapshot_id=snapshot_id,
        resumed=resumed,
        parent_id="" if merge is None else parent_id,
        merge=merge,
        knows_parent=merge is not None and tree is not None,
        overlay=None if resumed is None else Overlay(catalog, resumed, live_ids),
    )


def _can_resume(session: RunSession, resumed: SnapshotRow | None, pool_id: str) -> bool:
    if resumed is not None and resumed.pool_id != pool_id:
        session.observer.note(
            f"snapshot {resumed.snapshot_id[:8]}, which was interrupted, is in another pool; a new one begins"
        )
    return resumed is not None and resumed.pool_id == pool_id


def _resume(session: RunSession, request: BackupRequest, resumed: SnapshotRow, parent_id: str) -> None:
    session.catalog.snapshots.set_parent(resumed.snapshot_id, parent_id)
    begun = f"{resumed.started_at.astimezone():%Y-%m-%d %H:%M}"
    session.observer.note(f"continuing snapshot {resumed.snapshot_id[:8]}, begun {begun}")
    if request.description:
        session.catalog.snapshots.describe(resumed.snapshot_id, request.description)


def _new_snapshot(
    request: BackupRequest, snapshot_id: str, started_at: datetime, pool_id: str, parent_id: str
) -> NewSnapshot:
    return NewSnapshot(
        snapshot_id=snapshot_id,
        pool_id=pool_id,
        volume=request.volume,
        mode=request.read_mode,
        hostname=platform.node(),
        tags=request.tags,
        description=request.description,
        sources=tuple(
            SourceRow(name=source.name, path=str(source.path), mode=source.mode) for source in request.sources
        ),
        request=request.to_json(),
        started_at=started_at,
        parent_id=parent_id,
        copies=request.plan.copies,
        parity=request.plan.parity,
    )
