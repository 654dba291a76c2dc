"""Parity of what a snapshot needs: made once all is stored, before the seal says that it is protected."""

from __future__ import annotations

from typing import Literal

from producer.backup.storing.state.state import BackupState
from producer.observer import Trouble
from producer.pool.members import Member
from producer.pool.parity.grouping import ParityPlan
from producer.pool.parity.planning import parity_for
from producer.pool.parity.writing import write_parity
from producer.run.session import RunSession

#: A device that dies or is full while it takes rows leaves its part to the others.
_ROUNDS_COUNT = 4


def make_parity(session: RunSession, state: BackupState, rows_count: int) -> None:
    """Write parity until all that the snapshot needs survives the loss of ``rows_count`` devices.

    Idempotent: what is there counts.  Says how many objects are not protected.
    """
    if rows_count < 1:
        return
    failures: dict[str, None] = {}
    for _ in range(_ROUNDS_COUNT):
        plan = _plan(session, state, rows_count)
        if not plan.rows:
            break
        written = write_parity(session, state.members, plan)
        state.parity_made_count += written.made_count
        state.parity_bytes += written.bytes_count
        failures |= written.failures
        for name, why in written.full.items():
            _take_no_more(session, state.members[name], "full", why)
        for name, why in written.died.items():
            _take_no_more(session, state.members[name], "dead", why)
        if not (written.made_count or written.full or written.died):
            break
    plan = _plan(session, state, rows_count)
    state.parity_missing_count = plan.unprotected_count
    if state.parity_missing_count:
        why = "; ".join(failures) or "the devices have no room for more"
        message = f"{state.parity_missing_count} objects have no parity yet: {why}; the next backup tries again"
        session.observer.trouble(Trouble(code="parity", message=message))


def _plan(session: RunSession, state: BackupState, rows_count: int) -> ParityPlan:
    own_ids = [row.segment_id for row in session.catalog.segments.stored(state.snapshot_id)]
    needed = dict.fromkeys([*own_ids, *state.borrowed_ids])
    return parity_for(session.catalog, needed, state.members.values(), rows_count=rows_count)


def _take_no_more(session: RunSession, member: Member, state: Literal["full", "dead"], why: str) -> None:
    member.state = state
    member.is_readable = state == "full"
    session.catalog.devices.set_state(member.device_id, member.state, why)
    session.observer.trouble(Trouble(code="parity", message=f"device {member.name} takes no more parity: {why}"))
