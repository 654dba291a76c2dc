"""Which objects may give way to new ones though others share parity with them, and which groups can go then.  Pure.

An object gives way only if each group that it is in can go: all that is needed of the group has parity in new groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from producer.catalog.tables.parity import ParityGroup


class Settled(Struct, frozen=True, kw_only=True):
    """``objects``: those that may give way.  ``groups``: those that can go then, new ones that are of no use too."""

    objects: frozenset[str]
    groups: tuple[ParityGroup, ...]


def settle(
    groups: Sequence[ParityGroup],
    replaced_by: Mapping[str, str],
    *,
    new_objects: Collection[str],
    new_groups: Collection[str],
    living: Collection[str],
) -> Settled:
    """``groups``: all that there are.  ``replaced_by``: object → the new one; "" where nothing of it is needed.

    ``new_objects``: all that were written, also those that replace nothing.  ``new_groups``: the ids of those that were
    formed for these and for the other members of the old groups.  ``living``: the members that somebody needs.
    """
    of_object = defaultdict[str, list[ParityGroup]](list)
    for group in groups:
        for one in group.members:
            of_object[one.object_id].append(group)
    ready = dict(replaced_by)
    while True:
        absent = set(new_objects) - set(ready.values())
        sound = [group for group in groups if group.group_id in new_groups and _is_sound(group, absent)]
        protected = {one.object_id for group in sound for one in group.members}
        free = {key for key in ready if not ready[key] or ready[key] in protected} | protected
        left = {
            old: new
            for old, new in ready.items()
            if all(_can_go(group, free, living) and old in free for group in of_object[old])
        }
        if len(left) == len(ready):
            break
        ready = left
    old_ids = {group.group_id for old in ready for group in of_object[old]}
    old_ids |= set(new_groups) - {group.group_id for group in sound}
    return Settled(objects=frozenset(ready), groups=tuple(group for group in groups if group.group_id in old_ids))


def _is_sound(group: ParityGroup, absent: Collection[str]) -> bool:
    is_written = all(row.digest is not None for row in group.rows)
    return is_written and not any(one.object_id in absent for one in group.members)


def _can_go(group: ParityGroup, free: Collection[str], living: Collection[str]) -> bool:
    return all(one.object_id in free or one.object_id not in living for one in group.members)
