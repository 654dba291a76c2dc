"""Brings to the devices what was decided about snapshots: tombstones of those that are forgotten, tags and pins."""

from __future__ import annotations

from producer.pool.manifests.marks import marks_for, record_marks
from producer.retention.pruning.meeting import Meeting
from producer.run.session import RunSession
from tasks.generations import encode_generation, generation_name


def tell_devices(session: RunSession, meeting: Meeting) -> None:
    """Write them, and the catalog's new generation, on every device that takes files.

    What a device does not take, it gets with the next backup or prune.
    """
    catalog, generation = session.catalog, session.catalog.generations.raise_()
    files = {generation_name(generation.catalog_id): encode_generation(generation)}
    for device in meeting.taking:
        marked = catalog.marks.unwritten(device.row.pool_id)
        marks = marks_for(marked, device.device_id, generation.catalog_id)
        if meeting.work.put(device, files | marks):
            if meeting.work.is_well(device):
                record_marks(catalog, marked, [device.device_id])
        else:
            session.observer.note(f"device {device.name} has no room for tombstones yet")
