"""Copies on other devices of what a snapshot needs: made once all is stored, before the seal says that it is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Literal

from msgspec.structs import replace

from producer.backup.storing.state.state import BackupState
from producer.backup.whole.source_copies import SourceCopies
from producer.catalog.tables.objects import StoredObject
from producer.observer import Progress, Trouble
from producer.pool.copies import Copying, CopyPlan, CopyTarget, plan_copies
from producer.pool.copying import copy_objects
from producer.pool.members import Member
from producer.pool.storing.store_orders import StoreOrders
from producer.run.session import RunSession

#: A device that dies or is full while it takes copies leaves its part to the others.
_ROUNDS_COUNT = 4


def make_copies(session: RunSession, state: BackupState, copies: int, orders: StoreOrders) -> None:
    """Copy objects until all that the snapshot needs lies on ``copies`` devices; says how much could not be copied.

    Idempotent: what is there counts.  The catalog has each copy as soon as it is made.
    """
    if copies < 2:
        return
    making = _Making(session, state, orders)
    for _ in range(_ROUNDS_COUNT):
        plan = _plan(session, state, copies, making.from_sources.settled)
        if not plan.copyings or not making.carry_out(plan.copyings):
            break
    else:
        plan = _plan(session, state, copies, making.from_sources.settled)
    making.from_sources.tell_changed()
    missing_count = len(plan.copyings) + plan.missing_count
    state.copies_missing_count = missing_count + len(making.from_sources.changed_entries)
    state.borrowed = list(chain.from_iterable(session.catalog.objects.of(state.borrowed_ids).values()))
    if missing_count:
        why = "; ".join([*making.failures, *plan.why_missing])
        message = f"{missing_count} copies of segments could not be made: {why}; the next backup tries again"
        session.observer.trouble(Trouble(code="copies", message=message))


def _plan(session: RunSession, state: BackupState, copies: int, settled: Collection[tuple[str, str]]) -> CopyPlan:
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
            if (
                members[row.device_id].state in ("live", "full", "read-only")
                if row.device_id in members
                else row.state != "lost"
            )
        },
        readable={member.device_id for member in state.live},
        sites=sites,
        settled=settled,
    )


def _target(member: Member, load_bytes: int, site: str) -> CopyTarget:
    return CopyTarget(
        name=member.name,
        device_id=member.device_id,
        load_bytes=load_bytes,
        room_bytes=member.room_bytes - load_bytes,
        site=site,
    )


class _Making:
    """Makes what is planned: from another copy where a worker reaches both devices, otherwise from the sources."""

    def __init__(self, session: RunSession, state: BackupState, orders: StoreOrders) -> None:
        self._session = session
        self._state = state
        self.from_sources = SourceCopies(session, state, orders, self._made)
        #: Why the last round left some out.
        self.failures: dict[str, None] = {}
        self._bytes_total = self._bytes_done = 0

    def carry_out(self, copyings: Sequence[Copying]) -> bool:
        """One round; returns whether another one may do more.  Raises InterruptedRun."""
        self._bytes_total, self._bytes_done = sum(one.object.bytes_stored for one in copyings), 0
        copied = copy_objects(self._session, self._state.members, copyings, self._copied)
        settled_count = len(self.from_sources.settled)
        if copied.out_of_reach:
            copied = copied.joined(self.from_sources.make([*chain.from_iterable(copied.out_of_reach.values())]))
        self.failures = copied.failures
        for name, why in copied.full.items():
            _take_no_more(self._session, self._state.members[name], "full", why)
        for name, why in copied.died.items():
            _take_no_more(self._session, self._state.members[name], "dead", why)
        has_settled = len(self.from_sources.settled) > settled_count
        return bool(copied.made_count or copied.full or copied.died or has_settled)

    def _copied(self, one: Copying, member: Member) -> None:
        self._made(replace(one.object, device_id=member.device_id, device=member.name), member)

    def _made(self, made: StoredObject, member: Member) -> None:
        self._state.copies_made_count += 1
        self._state.copied_bytes[member.name] += made.bytes_stored
        self._session.catalog.objects.add(replace(made, snapshot_id=self._state.snapshot_id))
        self._bytes_done = min(self._bytes_total, self._bytes_done + made.bytes_stored)
        self._session.observer.progress(
            Progress(phase="sealing", bytes_total=self._bytes_total, bytes_done=self._bytes_done)
        )


def _take_no_more(session: RunSession, member: Member, state: Literal["full", "dead"], why: str) -> None:
    member.state = state
    member.is_readable = state == "full"
    session.catalog.devices.set_state(member.device_id, member.state, why)
    session.observer.trouble(Trouble(code="copies", message=f"device {member.name} takes no more copies: {why}"))
