"""Objects that no index knows: tries that lost, and what runs that were killed have left.

One is deleted only when its header names a snapshot that this catalog has begun and ended, and no backup can be copying
it now: the catalog learns of a copy by its receipt.  And only while the index knows all that snapshots need: a catalog
that has lost a part of its index would take that for orphans.
"""

from __future__ import annotations

from collections.abc import Iterable

from producer.catalog.tables.doomed import DoomedObject
from producer.retention.pruning.meeting import Meeting
from producer.run.session import RunSession


def find_orphans(session: RunSession, meeting: Meeting, needed: Iterable[str]) -> dict[str, list[DoomedObject]]:
    """Device → what may be deleted there, of the devices where this catalog may delete.

    ``needed``: the segments that snapshots need.
    """
    devices, catalog = {device.name: device for device in meeting.writable}, session.catalog
    unindexed = catalog.objects.unknown(needed)
    if unindexed:
        session.observer.note(
            f"the catalog's index lacks what snapshots need (segments: {len(unindexed)}), so nothing is deleted that "
            "no index names; segfleet rebuild looks for it on the devices"
        )
        return {name: [] for name in devices}
    listed = meeting.work.list_objects(devices)
    unknown = {name: ids - catalog.garbage.known_on(devices[name].device_id) for name, ids in listed.items()}
    origins = meeting.work.origins(unknown)
    # In this order: what a snapshot has stored is in the catalog before it is sealed.
    states = catalog.snapshots.states()
    ended = {snapshot_id for snapshot_id, state in states.items() if state != "open"}
    may_copy = len(ended) < len(states)
    found: dict[str, list[DoomedObject]] = {}
    for name, of_objects in origins.items():
        device_id = devices[name].device_id
        known = catalog.garbage.known_on(device_id)
        if may_copy:
            known |= catalog.garbage.stored_among(of_objects)
        found[name] = [
            DoomedObject(device_id=device_id, object_id=object_id, bytes_stored=bytes_stored)
            for object_id, (snapshot_id, bytes_stored) in sorted(of_objects.items())
            if snapshot_id in ended and object_id not in known
        ]
    return found
