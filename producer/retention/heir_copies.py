"""Copies that are made apart from any backup: an heir brings their index lines to the devices."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.observer import Progress
from producer.pool.copies import Copying
from producer.pool.copying import copy_objects
from producer.pool.members import Member
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.heir import begin_heir, model_of, write_heir
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.members import member_of
from producer.run.session import RunSession


def copy_with_heir(
    session: RunSession,
    meeting: Meeting,
    devices: Sequence[PrunedDevice],
    copyings: Sequence[Copying],
    made: list[StoredObject],
) -> dict[str, None]:
    """Make the copies; ``devices``, of one pool, get the index of them.  Returns why something was not done.

    ``made`` grows with each copy, which the catalog has then.  Raises InterruptedRun.
    """
    if not copyings:
        return {}
    catalog, before_count = session.catalog, len(made)
    like = model_of(catalog, devices[0].row.pool_id)
    heir = begin_heir(catalog, like)
    bytes_total = sum(one.object.bytes_stored for one in copyings)

    def take(one: Copying, member: Member) -> None:
        copy = replace(one.object, device_id=member.device_id, device=member.name, snapshot_id=heir, is_damaged=False)
        catalog.objects.add(copy)
        made.append(copy)
        bytes_done = sum(one.bytes_stored for one in made[before_count:])
        session.observer.progress(Progress(phase="storing", bytes_total=bytes_total, bytes_done=bytes_done))

    members = {device.name: member_of(device) for device in meeting.devices}
    failures = copy_objects(session, members, copyings, take).failures
    if write_heir(catalog, meeting, devices, heir, like=like, digests=(), rows=made[before_count:]) != list(devices):
        failures["not all of the other devices took the index of what was copied"] = None
    else:
        catalog.remains.set_holders(heir, [device.device_id for device in devices])
    return failures
