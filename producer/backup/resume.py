"""Which interrupted snapshot a run resumes (docs/faults.md); :mod:`producer.backup.kept_plan` says what stays of it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.requests import BackupRequest
from tasks.errors import UsageError


def request_to_resume(
    catalog: Catalog, name: str | None, devices: Mapping[str, Path], *, failed_only: bool
) -> BackupRequest:
    """The request of an open snapshot, to be run again; ``devices``, if any, replace its own.

    ``name``: 8 hex digits or more; None: the newest, of this host if there is one.  ``failed_only``: only one with
    segments that were given up.  Raises UsageError when there is none.
    """
    found = [catalog.snapshots.find(name, "open")] if name is not None else _newest_open(catalog)
    candidates = [snapshot for snapshot in found if not is_of_stream(snapshot)]
    for snapshot in candidates:
        if not failed_only or catalog.segments.failed(snapshot.snapshot_id):
            request = BackupRequest.from_json(snapshot.request)
            return replace(request, devices=dict(devices) or request.devices, resume=snapshot.snapshot_id)
    if len(found) > len(candidates):
        raise UsageError(
            f"snapshot {found[0].snapshot_id[:8]} is of a stream, which cannot be read twice",
            hint="run its backup again, from the beginning",
        )
    what = "no open snapshot has failed segments" if failed_only else "no backup was interrupted"
    raise UsageError(what, hint="segfleet status shows what is open")


def _newest_open(catalog: Catalog) -> list[SnapshotRow]:
    def rank(snapshot: SnapshotRow) -> tuple[bool, datetime]:
        return snapshot.hostname == platform.node(), snapshot.started_at

    return sorted(catalog.snapshots.all("open"), key=rank, reverse=True)


def find_resumable(catalog: Catalog, request: BackupRequest) -> SnapshotRow | None:
    """The snapshot that the request names, or the newest open one of the same backup that has a plan.

    Those of the same backup that have none are discarded, for nothing of them is stored, and so are those of streams,
    of which the rest is lost.  Raises UsageError when another
    run has sealed the named one since it was chosen.  The caller holds the volume's lock.
    """
    if request.resume is not None:
        return _still_open(catalog.snapshots.get(request.resume))
    discard_streams(catalog, request.volume)
    for snapshot in catalog.snapshots.open_of(request.volume):
        if not request.is_same_backup(snapshot.request):
            continue
        if snapshot.planned_at is not None:
            return snapshot
        catalog.snapshots.discard(snapshot.snapshot_id)
    return None


def is_of_stream(snapshot: SnapshotRow) -> bool:
    return bool(snapshot.request.get("is_stream"))


def discard_streams(catalog: Catalog, volume: str) -> None:
    """Discard what a run that was killed has left.  The caller holds the volume's lock."""
    for snapshot in catalog.snapshots.open_of(volume):
        if is_of_stream(snapshot):
            catalog.snapshots.discard(snapshot.snapshot_id)


def _still_open(snapshot: SnapshotRow) -> SnapshotRow:
    if snapshot.state != "open":
        raise UsageError(
            f"snapshot {snapshot.snapshot_id[:8]} is {snapshot.state}: another run has ended it",
            hint="segfleet snapshots lists it",
        )
    return snapshot
