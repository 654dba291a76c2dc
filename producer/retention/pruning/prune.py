"""``prune``: deletes from the devices what no snapshot needs (docs/retention.md).

The steps are in :mod:`producer.retention.pruning.steps`.
"""

from __future__ import annotations

import time

from producer.catalog.catalog import Catalog
from producer.catalog.needed import Needed
from producer.observer import Observer
from producer.requests import PruneRequest, RepackLimits
from producer.retention.pruning.meeting import meet, tell_where_nothing_goes
from producer.retention.pruning.orphans import find_orphans
from producer.retention.pruning.previewed import would_be
from producer.retention.pruning.report import dry_summary
from producer.retention.pruning.steps import Prune
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.locks import locked
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import PruneSummary

#: One prune at a time: what one has decided to delete is not the other's to judge.
PRUNE = "prune"


def prune(request: PruneRequest, observer: Observer, environment: Environment) -> PruneSummary:
    """Delete what nothing needs, on the devices that are there; what is to go on others is remembered.

    Runs beside backups, restores and checks.  Raises LockedError beside another prune, OldCatalogError for a catalog
    that does not know all that is on the devices, and what opening a session raises.
    """
    if request.dry_run:
        needs = RunNeeds(devices=request.devices, purpose="prune --dry-run")
        with open_session(needs, observer, environment) as session:
            return preview(session, request.limits)
    with (
        locked(PRUNE, "prune", observer, environment) as holder,
        open_session(
            RunNeeds(devices=request.devices, purpose="prune", holder=holder), observer, environment
        ) as session,
    ):
        return recorded(session, "prune", "", lambda: prune_in_session(session, request.limits))


def preview(session: RunSession, limits: RepackLimits) -> PruneSummary:
    """What a prune would delete, and write again; changes nothing."""
    started_s, catalog = time.monotonic(), session.catalog
    meeting = meet(session)
    tell_where_nothing_goes(session, meeting)
    pending = [found for device in catalog.devices.all() for found in catalog.doomed.on(device.device_id)]
    would = would_be(catalog, meeting.writable, limits)
    return dry_summary(
        session,
        meeting,
        doomed=[*pending, *would.doomed],
        orphans=find_orphans(session, meeting, would.needed.referred),
        repacks=would.repacks,
        rows=would.rows,
        bytes_unused=would.bytes_unused,
        emptied=_would_be_empty(catalog, would.needed),
        started_s=started_s,
    )


def prune_in_session(session: RunSession, limits: RepackLimits) -> PruneSummary:
    return Prune(session, limits).run()


def _would_be_empty(catalog: Catalog, needed: Needed) -> list[str]:
    """The forgotten snapshots that nothing will need."""
    unneeded: list[str] = []
    for row in catalog.snapshots.all("forgotten"):
        indexed, brought = catalog.garbage.indexed_by(row.snapshot_id), catalog.trees.packed(row.snapshot_id)
        if needed.parts.isdisjoint(brought) and needed.segment_ids.isdisjoint(indexed):
            unneeded.append(row.snapshot_id)
    return unneeded
