"""What this snapshot has on devices that are gone or emptied: stored again on those with room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from producer.backup.storing.least_filled import least_filled_with_room
from producer.backup.storing.state.state import BackupState
from producer.backup.storing.storing import Storing
from producer.catalog.catalog import Catalog
from producer.catalog.holders import by_segment, lacking, ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.pool.holdings import Lacking
from producer.pool.losses.missing import find_missing
from producer.pool.members import Member
from producer.run.session import RunSession


def store_lost_again(session: RunSession, state: BackupState, storing: Storing, store_all: Callable[[], None]) -> bool:
    """Ask all devices once more; store, by ``store_all``, what is out of reach or waits for a dead device.

    True when something was to be stored.  Raises as ``store_all``.
    """
    look_again(session, state, storing)
    lying = lying_on(session.catalog, state, is_gone) + missing(session.catalog, state)
    lying = [row for row in lying if row.number not in state.kept]
    waiting = state.left_over()
    targets = least_filled_with_room(session.catalog, state, [*waiting, *lying])
    if not targets:
        return False
    _tell(session, [row for row in lying if row.number in targets])
    state.store_again(lying, targets)
    for device in {row.device for row in waiting}:
        mine = [row.number for row in waiting if row.device == device and row.number in targets]
        state.move(device, {number: targets[number] for number in mine})
    store_all()
    return True


def look_again(session: RunSession, state: BackupState, storing: Storing) -> None:
    """Ask each device whether it is there, and has what it has stored.  Raises DeviceError when none is left."""
    storing.confirm()
    state.refresh_borrowed()
    own_ids = {row.segment_id for row in session.catalog.segments.stored(state.snapshot_id)}
    index = session.catalog.objects.of(own_ids) | by_segment(state.borrowed)
    state.missing_objects, silent = find_missing(session, chain.from_iterable(index.values()), state.members)
    state.missing = lacking(index, lambda one: one.key in state.missing_objects)
    for device, why in silent.items():
        storing.lose(device, why)


def missing(catalog: Catalog, state: BackupState) -> list[SegmentRow]:
    """The segments of this snapshot that a device has stored and has no more, in plan order."""
    rows = catalog.segments.stored(state.snapshot_id) if state.missing else ()
    return [row for row in rows if row.segment_id in state.missing]


def lying_on(catalog: Catalog, state: BackupState, wanted: Callable[[Member | None], bool]) -> list[SegmentRow]:
    """The segments of this snapshot that lie on devices as ``wanted``, in plan order.

    None is a device that takes no part.
    """
    members = {member.device_id: member for member in state.members.values()}
    ids = {key for key in catalog.segments.device_ids(state.snapshot_id) if wanted(members.get(key))}
    rows = [row for row in catalog.segments.stored(state.snapshot_id) if row.device_id in ids] if ids else []
    index = catalog.objects.of([row.segment_id for row in rows])
    alone = lacking(index, lambda one: wanted(members.get(one.device_id)))
    return [row for row in rows if row.segment_id in alone]


def borrowed_out_of_reach(state: BackupState) -> tuple[list[Lacking], list[Lacking]]:
    """What unchanged files need of earlier segments: on devices that are away, and on none any more."""
    state.refresh_borrowed()
    members = {member.device_id: member for member in state.members.values()}

    def is_away(one: StoredObject) -> bool:
        return one.is_damaged or is_unreadable(members.get(one.device_id))

    def lacks_of(segment_id: str) -> Lacking:
        objects = index[segment_id]
        there = [one for one in objects if not is_away(one) and one.key not in state.missing_objects]
        holder = next((one for one in objects if one not in there), objects[0])
        return Lacking(segment_id=segment_id, device_id=holder.device_id, device=holder.device, held=ranges_of(there))

    index = by_segment(state.borrowed)
    gone = sorted(state.missing & index.keys())
    away = sorted(lacking(index, is_away) - state.missing)
    return [lacks_of(one) for one in away], [lacks_of(one) for one in gone]


def is_gone(member: Member | None) -> bool:
    """A full device keeps what it has."""
    return member is None or member.state not in ("live", "full")


def is_unreadable(member: Member | None) -> bool:
    """A device that became read-only is lost to the run, and still there for a restore."""
    return is_gone(member) and not (member is not None and member.is_readable)


def _tell(session: RunSession, rows: Sequence[SegmentRow]) -> None:
    if rows:
        names = ", ".join(sorted({row.device for row in rows}))
        session.observer.note(f"{len(rows)} segments on {names} are out of reach, and are stored again")
