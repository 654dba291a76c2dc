"""The copies that backups asked for and that are not there: of what lost devices held, or what found no room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.pool.copies import CopyPlan, plan_copies
from producer.retention.heir_copies import copy_with_heir
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.members import target_of
from producer.run.session import RunSession


def lacks_copies(catalog: Catalog) -> bool:
    """Whether something has fewer copies than a snapshot is to have, and can be copied from somewhere."""
    wanted = _segments(catalog).items()
    plans = (_plan(catalog, None, pool_id, copies, segment_ids) for (pool_id, copies), segment_ids in wanted)
    return any(plan.missing_count > plan.without_origin_count for plan in plans)


def copy_again(session: RunSession, meeting: Meeting, made: list[StoredObject]) -> dict[str, None]:
    """Make the missing copies on the devices that take files; returns why something was not done.

    ``made`` grows with each copy, which the catalog has then.  Raises InterruptedRun.
    """
    failures: dict[str, None] = {}
    for (pool_id, copies), segment_ids in sorted(_segments(session.catalog).items()):
        plan = _plan(session.catalog, meeting, pool_id, copies, segment_ids)
        if missing_count := plan.missing_count - plan.without_origin_count:
            why = f"{missing_count} copies are missing (--copies {copies}): no other device takes them, or has room"
            failures[why] = None
        devices = [device for device in meeting.taking if device.row.pool_id == pool_id]
        failures |= copy_with_heir(session, meeting, devices, plan.copyings, made)
    return failures


def _segments(catalog: Catalog) -> dict[tuple[str, int], set[str]]:
    """Pool, and number of copies → the segments that are to have as many there."""
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for snapshot in catalog.snapshots.all():
        if snapshot.copies > 1:
            for segment_id in catalog.trees.of(snapshot.snapshot_id).parts_of_segments:
                key = snapshot.pool_id, segment_id
                counts[key] = max(counts[key], snapshot.copies)
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for (pool_id, segment_id), copies in counts.items():
        found[pool_id, copies].add(segment_id)
    return dict(found)


def _plan(
    catalog: Catalog, meeting: Meeting | None, pool_id: str, copies: int, segment_ids: Collection[str]
) -> CopyPlan:
    """Without a meeting: as if all devices could be read, and none could be written."""
    rows = {row.device_id: row for row in catalog.devices.all(pool_id)}
    holding = {key for key, row in rows.items() if row.state != "lost"}
    return plan_copies(
        catalog.objects.of(sorted(segment_ids)),
        [] if meeting is None else [target_of(one) for one in meeting.taking if one.row.pool_id == pool_id],
        copies=copies,
        holding=holding,
        readable=holding if meeting is None else {device.device_id for device in meeting.devices},
        sites={key: row.site for key, row in rows.items()},
    )
