"""Moves unfed segments from slow devices to fast ones, so that all of them finish at the same time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from producer.backup.storing.state.state import BackupState
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import StoreSegment

#: Often enough for a run of a minute; the decision takes 0.2 s for 100,000 unfed segments.
_EVERY_S = 2.0

#: A smaller gain is within the noise of the measured speeds, and not worth the moves.
_WORTHWHILE_SHARE = 0.05

#: Nor is one below this: a device reports what it has moved once a second, a unit at a time.
_WORTHWHILE_S = 1.0


class Balancing:
    """Moves unfed segments between live devices, by their measured speeds."""

    def __init__(self, session: RunSession, state: BackupState) -> None:
        self._session = session
        self._state = state
        self._next_s = time.monotonic() + _EVERY_S

    def balance(self) -> None:
        """If it is time, move what shortens the run by more than 5 %."""
        if time.monotonic() < self._next_s:
            return
        # A device that does not find a source would take what it cannot store again and again.
        live = [member for member in self._state.live if member.sees_sources]
        if len(live) > 1 and not all(self._state.share(member.name).is_finished for member in live):
            self._withdraw_for_the_idle(live)
            self._move(rebalance(self._backlogs(live)))
        self._next_s = time.monotonic() + _EVERY_S

    def _withdraw_for_the_idle(self, live: list[Member]) -> None:
        """When a device has nothing to do, segments that others have in their queues may move as well."""
        courier = self._session.courier
        if all(courier.in_flight(member.name) for member in live):
            return
        orders = [order for member in live for order in courier.in_flight(member.name)]
        try:
            withdrawn = courier.withdraw([order for order in orders if isinstance(order, StoreSegment)])
        except BrokerError:
            return
        for order in withdrawn:
            assert isinstance(order, StoreSegment)
            self._state.take(order.order_id)
            self._state.move(order.device, {order.number: order.device})

    def _backlogs(self, live: list[Member]) -> dict[str, Backlog]:
        watch = self._session.courier.liveness
        known = {member.name: watch.speed_bytes_per_s(member.name) or 0.0 for member in live}
        typical = max(known.values())
        return {member.name: self._backlog(member, known[member.name] or typical) for member in live if typical > 0}

    def _backlog(self, member: Member, speed_bytes_per_s: float) -> Backlog:
        courier = self._session.courier
        in_flight_bytes = sum(
            order.extents.total_bytes for order in courier.in_flight(member.name) if isinstance(order, StoreSegment)
        )
        begun_bytes = max(0, courier.liveness.bytes_moved(member.name) - self._state.share(member.name).recorded_bytes)
        return Backlog(
            committed_bytes=max(0, in_flight_bytes - begun_bytes),
            unfed=self._session.catalog.segments.planned_sizes(self._state.snapshot_id, member.name),
            speed_bytes_per_s=speed_bytes_per_s,
            free_bytes=member.room_bytes,
        )

    def _move(self, moves: Mapping[int, tuple[str, str]]) -> None:
        for old in sorted({old for old, _ in moves.values()}):
            self._state.move(old, {number: new for number, (source, new) in moves.items() if source == old})


class Backlog(Struct, frozen=True, kw_only=True):
    """What one device still has to do."""

    #: Bytes in flight, less what is moved of them already: they stay where they are.
    committed_bytes: int
    #: (number, bytes) of the segments that are not fed yet, in plan order.
    unfed: Sequence[tuple[int, int]]
    speed_bytes_per_s: float
    #: What the device can still take.
    free_bytes: int

    @property
    def finish_s(self) -> float:
        return (self.committed_bytes + sum(size for _, size in self.unfed)) / self.speed_bytes_per_s


def rebalance(backlogs: Mapping[str, Backlog]) -> dict[int, tuple[str, str]]:
    """Segment number → its old and its new device; empty unless the run ends more than 5 %, and a second, sooner.

    Pure.

    Devices that would finish late give up segments from the end of their plan; each goes, the largest first, to the
    device that would finish it first, which may be the old one.
    """
    if len(backlogs) < 2:
        return {}
    now_s = max(backlog.finish_s for backlog in backlogs.values())
    ideal_s = _ideal_s(backlogs)
    loads_bytes, given = _give_up(backlogs, ideal_s)
    moves, then_s = _take(backlogs, loads_bytes, given)
    return moves if now_s - then_s > max(now_s * _WORTHWHILE_SHARE, _WORTHWHILE_S) else {}


def _ideal_s(backlogs: Mapping[str, Backlog]) -> float:
    total = sum(backlog.committed_bytes + sum(size for _, size in backlog.unfed) for backlog in backlogs.values())
    return total / sum(backlog.speed_bytes_per_s for backlog in backlogs.values())


def _give_up(backlogs: Mapping[str, Backlog], ideal_s: float) -> tuple[dict[str, int], list[tuple[int, int, str]]]:
    """The loads after late devices gave up segments, and these segments as (size, number, old device)."""
    loads_bytes: dict[str, int] = {}
    given: list[tuple[int, int, str]] = []
    for device, backlog in backlogs.items():
        load = backlog.committed_bytes + sum(size for _, size in backlog.unfed)
        for number, size in reversed(backlog.unfed):
            if load <= ideal_s * backlog.speed_bytes_per_s:
                break
            load -= size
            given.append((size, number, device))
        loads_bytes[device] = load
    return loads_bytes, given


def _take(
    backlogs: Mapping[str, Backlog], loads_bytes: dict[str, int], given: list[tuple[int, int, str]]
) -> tuple[dict[int, tuple[str, str]], float]:
    """Give each segment to the device that would finish it first; returns the moves and the new end."""
    moves: dict[int, tuple[str, str]] = {}
    room_bytes = {device: backlog.free_bytes for device, backlog in backlogs.items()}
    for size, number, old in sorted(given, key=lambda item: (-item[0], item[1])):
        fitting = [device for device in backlogs if device == old or room_bytes[device] >= size]
        device = min(
            fitting, key=lambda name: ((loads_bytes[name] + size) / backlogs[name].speed_bytes_per_s, name != old, name)
        )
        loads_bytes[device] += size
        if device != old:
            room_bytes[device] -= size
            moves[number] = (old, device)
    return moves, max(load / backlogs[device].speed_bytes_per_s for device, load in loads_bytes.items())
