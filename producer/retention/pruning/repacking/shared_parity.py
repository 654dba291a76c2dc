"""Forms new groups for repacked objects, with the other members of their old groups, before the old ones go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.copying import Copied
from producer.pool.members import Member
from producer.pool.parity.grouping import ParityPlan, holders_of_objects, plan_parity
from producer.pool.parity.planning import living_members
from producer.pool.parity.replacing import Settled, settle
from producer.pool.parity.writing import write_parity
from producer.retention.pruning.repacking.selection import Repack
from producer.run.session import RunSession

#: What was repacked, each with its new object on all devices that have it; none where nothing of it is needed.
Done = Sequence[tuple[Repack, Sequence[StoredObject]]]
#: Member that somebody needs → where it lies.
Living = Mapping[str, Sequence[StoredObject]]


class NewGroups(Struct, kw_only=True):
    """``missing_count``: objects for whose parity no device has room."""

    group_ids: set[str] = field(default_factory=set)
    missing_count: int = 0
    written: Copied = field(default_factory=Copied)


def form_groups(
    session: RunSession,
    members: Mapping[str, Member],
    targets: Sequence[CopyTarget],
    done: Done,
    referred: Collection[str],
) -> NewGroups:
    """Write parity for the new objects, and for what is needed of the groups that the old ones are in.

    ``members``: by name, the devices that these are on; ``targets``: those of them that take rows.  The old groups stay
    as they are.  Raises InterruptedRun.
    """
    found, catalog = NewGroups(), session.catalog

    def living(groups: Sequence[ParityGroup]) -> Living:
        return living_members(catalog, groups, referred)

    for plan in plans_by_rows(catalog.parity.groups(), living, done, targets):
        found.missing_count += plan.missing_count
        found.group_ids.update(group.group_id for group in plan.new)
        found.written.add_rows(write_parity(session, members, plan))
    return found


def plans_by_rows(
    groups: Sequence[ParityGroup],
    living: Callable[[Sequence[ParityGroup]], Living],
    done: Done,
    targets: Sequence[CopyTarget],
) -> Iterator[ParityPlan]:
    """New groups for what was ``done`` and for what is ``living`` of the old ones, for each number of rows."""
    for rows_count, objects in sorted(_objects_by_rows(groups, living, done).items()):
        yield _plan(objects, targets, rows_count)


def settled(
    catalog: Catalog, ready: Done, done: Done, group_ids: Collection[str], referred: Collection[str]
) -> Settled:
    """Which of the ``ready`` may take the place of the old objects, and which groups go with these.

    ``group_ids``: of the new groups that were formed for all that was ``done``.
    """
    groups = catalog.parity.groups()
    return settle(
        groups,
        {repack.candidate.object.object_id: new[0].object_id if new else "" for repack, new in ready},
        new_objects={one.object_id for _, new in done for one in new},
        new_groups=group_ids,
        living=living_members(catalog, groups, referred).keys(),
    )


def _objects_by_rows(
    all_groups: Sequence[ParityGroup], living_of: Callable[[Sequence[ParityGroup]], Living], done: Done
) -> dict[int, dict[str, Sequence[StoredObject]]]:
    """How many rows → the objects, with where each lies, that are to be in groups with as many."""
    replaced = {repack.candidate.object.object_id: new for repack, new in done if repack.candidate.has_parity}
    groups = [group for group in all_groups if any(one.object_id in replaced for one in group.members)]
    living = living_of(groups)
    rows_counts = _rows_counts(groups)
    found = defaultdict[int, dict[str, Sequence[StoredObject]]](dict)
    for object_id, rows_count in rows_counts.items():
        objects = replaced[object_id] if object_id in replaced else living.get(object_id, ())
        if objects:
            found[rows_count][objects[0].object_id] = objects
    return found


def _rows_counts(groups: Sequence[ParityGroup]) -> dict[str, int]:
    """Member → how many losses it survives."""
    found: dict[str, int] = {}
    for group in groups:
        for one in group.members:
            found[one.object_id] = max(len(group.rows), found.get(one.object_id, 0))
    return found


def _plan(objects: Mapping[str, Sequence[StoredObject]], targets: Sequence[CopyTarget], rows_count: int) -> ParityPlan:
    ids = {target.device_id for target in targets}
    return plan_parity(
        [places[0] for places in objects.values()],
        [],
        targets,
        rows_count=rows_count,
        holders=holders_of_objects(chain.from_iterable(objects.values()), ids),
        indexed=(),
        holding=ids,
        readable=ids,
    )
