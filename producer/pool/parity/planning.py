"""Plans parity from what the catalog knows: for the objects of a backup, or for groups that lack rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.members import Member
from producer.pool.parity.grouping import ParityPlan, holders_of_objects, plan_parity


def parity_for(
    catalog: Catalog,
    segment_ids: Iterable[str],
    members: Collection[Member],
    *,
    rows_count: int,
    leaving: str = "",
    referred: Collection[str] | None = None,
) -> ParityPlan:
    """What is to be written so that these segments survive the loss of ``rows_count`` devices.

    ``members``: the devices of the run; others that are not lost are away, and count as they are, but for the one that
    is ``leaving``.  ``referred``: the segments that snapshots refer to, if it is known; no group is kept for others.
    """
    readable = {member.device_id for member in members if member.state in ("live", "full", "read-only")}
    named = {member.device_id for member in members} | {leaving}
    away = {row.device_id for row in catalog.devices.all() if row.device_id not in named and row.state != "lost"}
    groups = catalog.parity.groups()
    index = catalog.objects.of(segment_ids)
    of_members = catalog.objects.of({member.segment_id for group in groups for member in group.members})
    known = {one.key: one for one in chain(*index.values(), *of_members.values())}
    return plan_parity(
        [one for one in chain.from_iterable(index.values()) if _counts(one, readable | away)],
        groups,
        [_target(member) for member in members if member.is_live],
        rows_count=rows_count,
        holders=holders_of_objects(known.values(), readable | away),
        indexed={
            one.object_id
            for one in chain.from_iterable(of_members.values())
            if referred is None or one.segment_id in referred
        },
        holding=readable | away,
        readable=readable,
    )


def missing_rows(catalog: Catalog, live: Sequence[Member]) -> ParityPlan:
    """The rows that groups lack whose members are all there; replaces no group."""
    plan = parity_for(catalog, (), live, rows_count=0)
    return ParityPlan(rows=plan.rows)


def living_members(
    catalog: Catalog, groups: Iterable[ParityGroup], referred: Collection[str]
) -> dict[str, list[StoredObject]]:
    """Member that somebody needs → where it lies.  ``referred``: the segments that snapshots refer to.

    Of what an unfinished backup has stored nobody can say that it is not needed.
    """
    opened = {row.snapshot_id for row in catalog.snapshots.all("open")}
    index = catalog.objects.of({one.segment_id for group in groups for one in group.members})
    found: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for one in chain.from_iterable(index.values()):
        if one.segment_id in referred or one.snapshot_id in opened:
            found[one.object_id].append(one)
    return dict(found)


def _counts(one: StoredObject, holding: Collection[str]) -> bool:
    return one.device_id in holding and not one.is_damaged


def _target(member: Member) -> CopyTarget:
    # The more is free, the less is filled.
    return CopyTarget(
        name=member.name, device_id=member.device_id, load_bytes=-member.room_bytes, room_bytes=member.room_bytes
    )
