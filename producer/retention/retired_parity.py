"""Parity of what a device gives away: a copy may lie beside another member of its group, which is then replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.observer import Trouble
from producer.pool.members import Member
from producer.pool.parity.planning import parity_for
from producer.pool.parity.writing import write_parity
from producer.run.session import RunSession


def keep_parity(session: RunSession, members: Mapping[str, Member], leaving: str) -> None:
    """Write parity until all that has any survives as many losses as before, without the device ``leaving``.

    ``members``: the devices that stay.  What is not possible is reported: fewer devices, or no room.  Call once what
    the device has is on the others.
    """
    referred = NeededFinder(session.catalog).find().referred
    for rows_count, segment_ids in _segments_by_rows(session.catalog).items():
        possible_count = min(rows_count, len(members) - 1)
        wanted = sorted(segment_ids & referred)
        plan = parity_for(
            session.catalog,
            wanted,
            members.values(),
            rows_count=possible_count,
            leaving=leaving,
            referred=referred,
        )
        written = write_parity(session, members, plan)
        lacking_count = plan.missing_count + len(plan.rows) - written.made_count
        if possible_count < rows_count:
            why = f"--parity {rows_count} needs {rows_count + 1} devices, and {len(members)} are left"
        elif lacking_count:
            why = "; ".join(written.failures) or "the devices have no room for more"
        else:
            continue
        message = f"{len(wanted)} segments have less parity than before: {why}"
        session.observer.trouble(Trouble(code="parity", message=message))


def _segments_by_rows(catalog: Catalog) -> dict[int, set[str]]:
    """How many losses the segments in groups survive → their ids."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for group in catalog.parity.groups():
        found[len(group.rows)].update(member.segment_id for member in group.members)
    return dict(found)
