"""Copies on other devices of what a snapshot needs: made once all is stored, before the seal says that it is there."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.objects import StoredObject
from producer.observer import Progress, Trouble
from producer.pool.copies import Copying, CopyPlan, CopyTarget, plan_copies
from producer.pool.members import Member
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.copying import CopyObject
from tasks.errors import Reason
from tasks.orders import Order
from tasks.receipts import Receipt

#: A device that dies or is full while it takes copies leaves its part to the others.
_ROUNDS_COUNT = 4


def make_copies(session: RunSession, state: BackupState, copies: int) -> None:
    """Copy objects until all that the snapshot needs lies on ``copies`` devices; says how much could not be copied.

    Idempotent: what is there counts.  The catalog has each copy as soon as it is made.
    """
    if copies < 2:
        return
    failures: dict[str, str] = {}
    for _ in range(_ROUNDS_COUNT):
        plan = _plan(session, state, copies)
        if not plan.copyings or not _carry_out(session, state, plan.copyings, failures):
            break
    state.copies_missing_count = missing_count = len(plan.copyings) + plan.missing_count
    state.borrowed = list(chain.from_iterable(_index(session, state, state.borrowed_ids).values()))
    if missing_count:
        why = "; ".join(sorted(set(failures.values()))) or "no other device has room"
        message = f"{missing_count} copies of segments could not be made: {why}; the next backup tries again"
        session.observer.trouble(Trouble(code="copies", message=message))


def _index(session: RunSession, state: BackupState, segment_ids: Sequence[str]) -> dict[str, list[StoredObject]]:
    return session.catalog.objects.of(segment_ids)


def _plan(session: RunSession, state: BackupState, copies: int) -> CopyPlan:
    own_ids = [row.segment_id for row in session.catalog.segments.stored(state.snapshot_id)]
    index = _index(session, state, [*dict.fromkeys([*own_ids, *state.borrowed_ids])])
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


def _carry_out(session: RunSession, state: BackupState, copyings: Sequence[Copying], failures: dict[str, str]) -> bool:
    """Whether another round may do better: some were made, or a device that refused takes no more."""
    by_target: defaultdict[str, list[Copying]] = defaultdict(list)
    for one in copyings:
        by_target[one.target.name].append(one)
    asked: dict[str, Copying] = {}
    made_count = bytes_done = 0
    bytes_total = sum(one.object.bytes_stored for one in copyings)
    full: set[str] = set()

    def orders(name: str) -> Iterator[Order]:
        for one in by_target[name]:
            order = _order(session, state.members, one)
            asked[order.order_id] = one
            yield order

    def take(order: Order, receipt: Receipt) -> None:
        nonlocal made_count, bytes_done
        one = asked.pop(order.order_id)
        if receipt.failure is not None:
            failures[f"{one.object.device} {order.device}"] = receipt.failure.message
            if receipt.failure.reason is Reason.FULL:
                full.add(order.device)
            return
        made_count += 1
        state.copies_made_count += 1
        state.copied_bytes[order.device] += one.object.bytes_stored
        bytes_done += one.object.bytes_stored
        member = state.members[order.device]
        session.catalog.objects.add(
            replace(one.object, device_id=member.device_id, device=member.name, snapshot_id=state.snapshot_id)
        )
        session.observer.progress(Progress(phase="sealing", bytes_total=bytes_total, bytes_done=bytes_done))

    died = run_wave(session, {name: orders(name) for name in by_target}, take)
    for name in full:
        _take_no_more(session, state.members[name], "full", "it is full")
    for name, why in died.items():
        failures[name] = f"device {name}: {why}"
        _take_no_more(session, state.members[name], "dead", why)
    return bool(made_count or full or died)


def _order(session: RunSession, members: Mapping[str, Member], one: Copying) -> CopyObject:
    member, row = members[one.target.name], one.object
    origin = next(other for other in members.values() if other.device_id == row.device_id)
    return CopyObject(
        order_id=uuid.uuid4().hex,
        object_id=row.object_id,
        from_device=origin.name,
        from_device_id=row.device_id,
        stored_bytes=row.bytes_stored,
        trailer_digest=row.proof,
        **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
    )


def _take_no_more(session: RunSession, member: Member, state: str, why: str) -> None:
    member.state = "full" if state == "full" else "dead"
    member.is_readable = state == "full"
    session.catalog.devices.set_state(member.device_id, member.state, why)
    session.observer.trouble(Trouble(code="copies", message=f"device {member.name} takes no more copies: {why}"))
