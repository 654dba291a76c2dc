"""Gives all as much parity as it is to have, when devices were lost, retire or have failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.pool.members import Member
from producer.pool.parity.grouping import ParityPlan
from producer.pool.parity.planning import missing_rows, parity_for
from producer.pool.parity.writing import write_parity
from producer.run.session import RunSession


class Kept(Struct, kw_only=True):
    """``lacking``: what has less parity than it is to have, and why, in words."""

    made_count: int = 0
    lacking: list[str] = field(default_factory=list)


def keep_parity(session: RunSession, members: Mapping[str, Member], pool_id: str, *, leaving: str = "") -> Kept:
    """Write parity until all in the pool survives as many losses as backups asked for, without the one ``leaving``.

    What is in groups gets as much as these have, also where nobody knows what was asked for: of what a rebuild found
    without a manifest.

    ``members``: the devices that stay, by name; others that are not lost are away, and count as they are.  Call once
    what a device that leaves or is lost held is on the others.  Raises InterruptedRun.
    """
    catalog, kept = session.catalog, Kept()
    referred = NeededFinder(catalog).find().referred | _of_open_snapshots(catalog)
    live_count = sum(member.is_live for member in members.values())
    for rows_count, segment_ids in sorted(_segments_by_rows(catalog, pool_id).items()):
        wanted = sorted(segment_ids & referred)

        def plan(rows_count: int, wanted: Collection[str] = wanted) -> ParityPlan:
            there = members.values()
            return parity_for(catalog, wanted, there, rows_count=rows_count, leaving=leaving, referred=referred)

        possible_count = min(rows_count, live_count - 1)
        to_write = plan(possible_count) if possible_count > 0 else missing_rows(catalog, list(members.values()))
        written = write_parity(session, members, to_write)
        kept.made_count += written.made_count
        if lacking_count := plan(rows_count).unprotected_count:
            few = f"--parity {rows_count} needs {rows_count + 1} devices, and {live_count} are available"
            no_room = "the devices have no room for more"
            why = "; ".join(written.failures) or (few if possible_count < rows_count else no_room)
            kept.lacking.append(f"{lacking_count} objects have less parity than they should have: {why}")
    return kept


def _of_open_snapshots(catalog: Catalog) -> set[str]:
    opened = catalog.snapshots.all("open")
    return {row.segment_id for one in opened for row in catalog.segments.stored(one.snapshot_id)}


def _segments_by_rows(catalog: Catalog, pool_id: str) -> dict[int, set[str]]:
    """How many losses segments of the pool are to survive → their ids."""
    of_pool = {row.device_id for row in catalog.devices.all(pool_id)}
    rows_counts: defaultdict[str, int] = defaultdict(int)
    for group in catalog.parity.groups():
        if any(row.device_id in of_pool for row in group.rows):
            for member in group.members:
                rows_counts[member.segment_id] = max(rows_counts[member.segment_id], len(group.rows))
    for snapshot in catalog.snapshots.all():
        if snapshot.pool_id == pool_id and snapshot.parity:
            for segment_id in catalog.trees.of(snapshot.snapshot_id).parts_of_segments:
                rows_counts[segment_id] = max(rows_counts[segment_id], snapshot.parity)
    found: defaultdict[int, set[str]] = defaultdict(set)
    for segment_id, rows_count in rows_counts.items():
        found[rows_count].add(segment_id)
    return dict(found)
