"""Objects that no index knows: tries that lost, and what runs that were killed have left.

One is deleted only when its header names a snapshot that this catalog has begun and ended, and no backup can be copying
it now: the catalog learns of a copy by its receipt.
"""

from __future__ import annotations

from producer.catalog.tables.doomed import DoomedObject
from producer.retention.pruning.meeting import Meeting
from producer.run.session import RunSession


def find_orphans(session: RunSession, meeting: Meeting) -> dict[str, list[DoomedObject]]:
    """Device → what may be deleted there, of the devices where this catalog may delete."""
    devices = {device.name: device for device in meeting.writable}
    listed, catalog = meeting.work.list_objects(devices), session.catalog
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
