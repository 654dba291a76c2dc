"""Copies on other devices of what a snapshot needs: made once all is stored, before the seal says that it is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal

from producer.backup.storing.state.state import BackupState
from producer.observer import Progress, Trouble
from producer.pool.copies import Copying, CopyPlan, CopyTarget, plan_copies
from producer.pool.copying import Copied, copy_objects
from producer.pool.members import Member
from producer.run.session import RunSession

#: A device that dies or is full while it takes copies leaves its part to the others.
_ROUNDS_COUNT = 4


def make_copies(session: RunSession, state: BackupState, copies: int) -> None:
    """Copy objects until all that the snapshot needs lies on ``copies`` devices; says how much could not be copied.

    Idempotent: what is there counts.  The catalog has each copy as soon as it is made.
    """
    if copies < 2:
        return
    failures: dict[str, None] = {}
    for _ in range(_ROUNDS_COUNT):
        plan = _plan(session, state, copies)
        if not plan.copyings:
            break
        copied = _carry_out(session, state, plan.copyings)
        failures |= copied.failures
        if not (copied.made_count or copied.full or copied.died):
            break
    state.copies_missing_count = missing_count = len(plan.copyings) + plan.missing_count
    state.borrowed = list(chain.from_iterable(session.catalog.objects.of(state.borrowed_ids).values()))
    if missing_count:
        why = "; ".join(failures) or "no other device has room"
        message = f"{missing_count} copies of segments could not be made: {why}; the next backup tries again"
        session.observer.trouble(Trouble(code="copies", message=message))


def _plan(session: RunSession, state: BackupState, copies: int) -> CopyPlan:
    own_ids = [row.segment_id for row in session.catalog.segments.stored(state.snapshot_id)]
    index = session.catalog.objects.of(dict.fromkeys([*own_ids, *state.borrowed_ids]))
    members = {member.device_id: member for member in state.members.values()}
    rows = session.catalog.devices.all()
    loads: defaultdict[str, int] = defaultdict(int)
    for one in chain.from_iterable(index.values()):
        if one.snapshot_id == state.snapshot_id:
            loads[one.device_id] += one.bytes_stored
    sites = {row.device_id: row.site for row in rows}
    return plan_copies(
        index,
        [_target(member, loads[member.device_id], sites.get(member.device_id, "")) for member in state.live],
        copies=copies,
        holding={
            row.device_id
            for row in rows
            if (members[row.device_id].state in ("live", "full") if row.device_id in members else row.state != "lost")
        },
        readable={member.device_id for member in state.live},
        sites=sites,
    )


def _target(member: Member, load_bytes: int, site: str) -> CopyTarget:
    return CopyTarget(
        name=member.name,
        device_id=member.device_id,
        load_bytes=load_bytes,
        room_bytes=member.room_bytes - load_bytes,
        site=site,
    )


def _carry_out(session: RunSession, state: BackupState, copyings: Sequence[Copying]) -> Copied:
    bytes_total, bytes_before = sum(one.object.bytes_stored for one in copyings), state.copied_bytes.total()

    def made(one: Copying, member: Member) -> None:
        state.copies_made_count += 1
        state.copied_bytes[member.name] += one.object.bytes_stored
        session.catalog.objects.add(
            replace(one.object, device_id=member.device_id, device=member.name, snapshot_id=state.snapshot_id)
        )
        bytes_done = state.copied_bytes.total() - bytes_before
        session.observer.progress(Progress(phase="sealing", bytes_total=bytes_total, bytes_done=bytes_done))

    copied = copy_objects(session, state.members, copyings, made)
    for name, why in copied.full.items():
        _take_no_more(session, state.members[name], "full", why)
    for name, why in copied.died.items():
        _take_no_more(session, state.members[name], "dead", why)
    return copied


def _take_no_more(session: RunSession, member: Member, state: Literal["full", "dead"], why: str) -> None:
    member.state = state
    member.is_readable = state == "full"
    session.catalog.devices.set_state(member.device_id, member.state, why)
    session.observer.trouble(Trouble(code="copies", message=f"device {member.name} takes no more copies: {why}"))
