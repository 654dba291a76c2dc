"""Which snapshots go: by a policy, or by their names; and what is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.names import parse_name
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.requests import Retention
from producer.retention.policy import Candidate, decide
from tasks.errors import UsageError

ALLOW_ALL = "--unsafe-allow-remove-all"


class Kept(Struct, frozen=True, kw_only=True):
    row: SnapshotRow
    reasons: tuple[str, ...]
    #: Whether it was to be forgotten, but somebody reads it.
    is_in_use: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """What is kept and what goes of one volume, the newest first.

    The policy is applied to each pool separately: who keeps the last snapshot in each of two pools does not expect the
    newer one to replace the other.
    """

    volume: str
    kept: tuple[Kept, ...]
    forgotten: tuple[SnapshotRow, ...]
    #: Backups that were interrupted, and stay until somebody resumes or names them.
    unfinished: tuple[SnapshotRow, ...] = ()
    #: Whether a run has the volume now; it may be what makes an unfinished one.
    is_in_use: bool = False


def by_policy(catalog: Catalog, volume: str, retention: Retention, now: datetime) -> Decision:
    """What the policy says of a volume.  What is pinned stays, and so does the parent of an unfinished backup."""
    sealed, unfinished = catalog.snapshots.sealed_of(volume), catalog.snapshots.open_of(volume)
    reasons: dict[str, tuple[str, ...]] = {}
    for pool_id in {row.pool_id for row in sealed}:
        candidates = (_candidate(row, -place, unfinished) for place, row in enumerate(sealed) if row.pool_id == pool_id)
        reasons |= {found.snapshot_id: found.reasons for found in decide(candidates, retention, now)}
    return Decision(
        volume=volume,
        kept=tuple(Kept(row=row, reasons=found) for row in sealed if (found := reasons[row.snapshot_id])),
        forgotten=tuple(row for row in sealed if not reasons[row.snapshot_id]),
        unfinished=tuple(unfinished),
    )


def by_names(catalog: Catalog, names: Iterable[str]) -> list[Decision]:
    """One decision for each volume of which something is named; raises UsageError for what cannot go."""
    named = {row.snapshot_id: row for row in (_named(catalog, name) for name in names)}
    return [_by_ids(catalog, volume, named.keys()) for volume in sorted({row.volume for row in named.values()})]


def refuse_all(decision: Decision) -> None:
    """Raises UsageError for a decision that leaves nothing of its volume in a pool."""
    left = {kept.row.pool_id for kept in decision.kept}
    for pool_id in {row.pool_id for row in decision.forgotten if row.state == "sealed"} - left:
        where = f" in pool {pool_id[:8]}" if left else ""
        raise UsageError(
            f"this would forget all snapshots of volume {decision.volume}{where}",
            hint=f"{ALLOW_ALL} allows it; nothing has been changed",
        )


def refuse_unknown_tags(catalog: Catalog, retentions: Mapping[str, Retention]) -> None:
    """Raises UsageError for a tag to keep that no snapshot of the volumes has: it is probably misspelt."""
    known = {tag for volume in retentions for row in catalog.snapshots.sealed_of(volume) for tag in row.tags}
    for tag in (tag for retention in retentions.values() for tag in retention.tags):
        if tag not in known:
            there = ", ".join(sorted(known)) or "none"
            raise UsageError(f"no snapshot has the tag {tag!r}; tags: {there}", hint="nothing has been changed")


def _candidate(row: SnapshotRow, made: int, unfinished: Iterable[SnapshotRow]) -> Candidate:
    parent_of = [f"parent of unfinished {child.snapshot_id[:8]}" for child in _children(row, unfinished)]
    return Candidate(
        snapshot_id=row.snapshot_id,
        at=row.started_at,
        tags=row.tags,
        held_by=(*(["pinned"] if row.pinned else []), *parent_of),
        made=made,
    )


def _children(row: SnapshotRow, unfinished: Iterable[SnapshotRow]) -> list[SnapshotRow]:
    """The unfinished backups that are compared with a snapshot: they count on what it holds."""
    return [child for child in unfinished if child.parent_id == row.snapshot_id]


def _named(catalog: Catalog, name: str) -> SnapshotRow:
    """A sealed snapshot, or an open one by digits of its id."""
    try:
        return catalog.snapshots.find(name)
    except UsageError:
        digits = parse_name(name)
        if isinstance(digits, str) and any(row.snapshot_id.startswith(digits) for row in catalog.snapshots.all("open")):
            return catalog.snapshots.find(name, "open")
        raise


def _by_ids(catalog: Catalog, volume: str, named: Collection[str]) -> Decision:
    sealed, unfinished = catalog.snapshots.sealed_of(volume), catalog.snapshots.open_of(volume)
    left = [row for row in unfinished if row.snapshot_id not in named]
    forgotten = [row for row in [*unfinished, *sealed] if row.snapshot_id in named]
    for row in forgotten:
        _refuse_held(row, left)
    kept = (Kept(row=row, reasons=("not named",)) for row in sealed if row.snapshot_id not in named)
    return Decision(volume=volume, kept=tuple(kept), forgotten=tuple(forgotten), unfinished=tuple(left))


def _refuse_held(row: SnapshotRow, unfinished: Iterable[SnapshotRow]) -> None:
    if row.pinned:
        raise UsageError(
            f"snapshot {row.snapshot_id[:8]} is pinned",
            hint=f"segfleet unpin {row.snapshot_id[:8]} first; nothing has been changed",
        )
    for child in _children(row, unfinished):
        raise UsageError(
            f"snapshot {row.snapshot_id[:8]} is the parent of {child.snapshot_id[:8]}, which is unfinished",
            hint="resume that one, or name it too; nothing has been changed",
        )
