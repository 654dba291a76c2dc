"""``rewrite``: replaces snapshots by others without the paths that patterns leave out.

::

    [1] the new snapshot is recorded as a forgotten one: what a kill leaves of it, a prune removes
    [2] its manifest goes to the devices, the head last
    [3] in one transaction that survives a power cut, it takes the place of the old one, which is forgotten
    [4] tombstones of the old ones go to the devices

A kill at any point leaves either of the two in the catalog.  The data of the paths goes with the next prune.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.observer import Observer
from producer.ownership.lock_holder import volume_lock
from producer.ownership.readers import without_readers
from producer.ownership.verdict import in_words, what_to_do
from producer.requests import RewriteRequest
from producer.retention.pruning.meeting import Meeting, meet, tell_where_nothing_goes
from producer.retention.pruning.prune import PRUNE
from producer.retention.rewriting.named import named
from producer.retention.rewriting.replacement import record_replacement, write_manifest
from producer.retention.rewriting.thinned import Thinned
from producer.retention.telling import tell_devices
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import RewriteSummary, RewrittenSnapshot
from producer.walk.choosing.exclusions import ExclusionRules
from tasks.errors import LockedError

PURPOSE = "rewrite"


def rewrite(request: RewriteRequest, observer: Observer, environment: Environment) -> RewriteSummary:
    """Replace the snapshots in which the patterns leave something out; the others stay.

    Raises UsageError for a pattern or a name that is none, and for the parent of an unfinished backup; LockedError
    while a volume is backed up, a prune runs or somebody reads one of the snapshots; what :func:`meet` raises, and
    DeviceError when no device takes a new manifest.
    """
    with Catalog(environment.catalog) as catalog:
        if request.dry_run or not _to_rewrite(catalog, request):
            return preview(catalog, request)
    with owner_of_locks(observer, environment) as holder, ExitStack() as locks:
        catalog = holder.catalog
        volumes = sorted({row.volume for row in named(catalog, request)})
        for name in (PRUNE, *map(volume_lock, volumes)):
            locks.enter_context(holder.holding(name, purpose=PURPOSE, patience_s=environment.patience.left_s))
        needs = RunNeeds(devices=request.devices, purpose=PURPOSE, holder=holder)
        with open_session(needs, observer, environment) as session:
            volume = volumes[0] if len(volumes) == 1 else ""
            return recorded(session, "rewrite", volume, lambda: rewrite_in_session(session, request))


def preview(catalog: Catalog, request: RewriteRequest) -> RewriteSummary:
    """What would go; changes nothing."""
    started_s, rows = time.monotonic(), named(catalog, request)
    found = [_removed(row, thinned, "") for row, thinned in _to_rewrite(catalog, request)]
    return _summary(found, rows, started_s=started_s, dry_run=request.dry_run)


def rewrite_in_session(session: RunSession, request: RewriteRequest) -> RewriteSummary:
    """For a session whose run holds the locks of the volumes, and that of prunes."""
    started_s, catalog = time.monotonic(), session.catalog
    meeting, rows = meet(session), named(catalog, request)
    tell_where_nothing_goes(session, meeting)
    with _unread(session, rows):
        pass
    new_ids: dict[str, str] = {}
    found = []
    for row, thinned in _to_rewrite(catalog, request):
        new_ids[row.snapshot_id] = _replace(session, meeting, row, thinned, parent_id=new_ids.get(row.parent_id))
        found.append(_removed(row, thinned, new_ids[row.snapshot_id]))
    tell_devices(session, meeting)
    return _summary(found, rows, started_s=started_s, dry_run=False)


def _to_rewrite(catalog: Catalog, request: RewriteRequest) -> list[tuple[SnapshotRow, Thinned]]:
    """The snapshots in which something goes, and their entries without it; the oldest first."""
    rules, found = ExclusionRules(request.exclusions), []
    for row in named(catalog, request):
        troubled = [one.entry_index for one in catalog.troubles.all(row.snapshot_id) if one.entry_index is not None]
        thinned = Thinned(catalog.trees.of(row.snapshot_id), rules, followed=troubled)
        thinned.count()
        if thinned.entries_count:
            found.append((row, thinned))
    return found


def _replace(
    session: RunSession, meeting: Meeting, row: SnapshotRow, thinned: Thinned, *, parent_id: str | None
) -> str:
    """Returns the id of the new snapshot.  ``parent_id``: None: that of the old one."""
    catalog = session.catalog
    new = record_replacement(catalog, row, thinned, parent_id=row.parent_id if parent_id is None else parent_id)
    written = write_manifest(session, meeting, new, lender=row)
    with _unread(session, [row]), catalog.durable_transaction():
        catalog.marks.replace(row.snapshot_id, new.snapshot_id, head_digest=written.digest, holders=written.holders)
        tree = catalog.trees.of(new.snapshot_id)
        catalog.lending.hand_over(
            row.snapshot_id, new.snapshot_id, segment_ids=tree.parts_of_segments, digests=tree.digests
        )
    return new.snapshot_id


@contextmanager
def _unread(session: RunSession, rows: Sequence[SnapshotRow]) -> Iterator[None]:
    """Nobody begins to read one of them during the block; raises LockedError while somebody does."""
    assert session.holder is not None
    with without_readers(session.holder, [row.snapshot_id for row in rows], purpose=PURPOSE) as readers:
        for snapshot_id, reader in readers.items():
            raise LockedError(f"snapshot {snapshot_id[:8]} is in use by {in_words(reader)}", hint=what_to_do(reader))
        yield


def _removed(row: SnapshotRow, thinned: Thinned, new_id: str) -> RewrittenSnapshot:
    return RewrittenSnapshot(
        snapshot_id=new_id,
        replaces=row.snapshot_id,
        volume=row.volume,
        entries_removed=thinned.entries_count,
        files_removed=thinned.files_count,
        bytes_removed=thinned.bytes_source,
    )


def _summary(
    found: Sequence[RewrittenSnapshot], rows: Iterable[SnapshotRow], *, started_s: float, dry_run: bool
) -> RewriteSummary:
    return RewriteSummary(
        rewritten=tuple(found),
        unchanged=len(list(rows)) - len(found),
        dry_run=dry_run,
        duration_s=round(time.monotonic() - started_s, 3),
    )
