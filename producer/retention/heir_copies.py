"""What is stored apart from any backup: an heir brings its index lines to the devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field
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


class Heir(Struct, kw_only=True):
    """``devices``: that take files; ``members``: all that are there, by name; ``made``: what is stored in its name."""

    snapshot_id: str
    devices: Sequence[PrunedDevice]
    members: Mapping[str, Member]
    made: list[StoredObject] = field(default_factory=list)


def with_heir(
    session: RunSession,
    meeting: Meeting,
    devices: Sequence[PrunedDevice],
    made: list[StoredObject],
    store: Callable[[Heir], dict[str, None]],
) -> dict[str, None]:
    """Have ``store`` store objects in the name of a new heir; ``devices``, of one pool, get the index of them.

    Returns why something was not done.  ``made`` grows by what was stored.  Raises what ``store`` raises.
    """
    catalog = session.catalog
    like = model_of(catalog, devices[0].row.pool_id)
    members = {device.name: member_of(device) for device in meeting.devices}
    heir = Heir(snapshot_id=begin_heir(catalog, like), devices=devices, members=members)
    try:
        failures = store(heir)
    finally:
        made += heir.made
    if write_heir(catalog, meeting, devices, heir.snapshot_id, like=like, digests=(), rows=heir.made) != list(devices):
        failures["not all of the other devices took the index of what was copied"] = None
    else:
        catalog.remains.set_holders(heir.snapshot_id, [device.device_id for device in devices])
    return failures


def copy_with_heir(
    session: RunSession,
    meeting: Meeting,
    devices: Sequence[PrunedDevice],
    copyings: Sequence[Copying],
    made: list[StoredObject],
) -> dict[str, None]:
    """Make the copies; ``devices``, of one pool, get the index of them.  Returns why something was not done.

    ``made`` grows by the copies, which the catalog has then.  Raises InterruptedRun.
    """
    if not copyings:
        return {}
    bytes_total = sum(one.object.bytes_stored for one in copyings)

    def store(heir: Heir) -> dict[str, None]:
        def take(one: Copying, member: Member) -> None:
            copy = replace(
                one.object,
                device_id=member.device_id,
                device=member.name,
                snapshot_id=heir.snapshot_id,
                is_damaged=False,
            )
            session.catalog.objects.add(copy)
            heir.made.append(copy)
            bytes_done = sum(one.bytes_stored for one in heir.made)
            session.observer.progress(Progress(phase="storing", bytes_total=bytes_total, bytes_done=bytes_done))

        return copy_objects(session, heir.members, copyings, take).failures

    return with_heir(session, meeting, devices, made, store)
