"""What of a restore is read by parity from the start: it lies on devices that are not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from producer.catalog.holders import Holder
from producer.pool.parity.group_reads import GroupPlace, GroupReads
from producer.restore.planning.plan import RestorePlan


def read_by_parity(
    plan: RestorePlan, groups: GroupReads, present: Mapping[str, str]
) -> dict[str, list[tuple[Holder, GroupPlace]]]:
    """Device → what its worker makes from groups.  ``present``: device id → name."""
    found: defaultdict[str, list[tuple[Holder, GroupPlace]]] = defaultdict(list)
    for holder in plan.holders():
        if holder.object.device_id not in present:
            place = groups.place(holder.object, present)
            if place is not None:
                found[place.device].append((holder, place))
    return dict(found)
