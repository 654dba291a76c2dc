"""Keeps devices of different speed busy to the end: gathers what
:mod:`producer.backup.storing.rebalance` decides on."""

from __future__ import annotations

import time
from collections.abc import Mapping

from producer.backup.storing.feeder import Feeder
from producer.backup.storing.rebalance import Backlog, rebalance
from producer.backup.storing.recorder import Recorder
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import StoreSegment

#: Often enough for a run of a minute; the decision takes 0.2 s for 100,000 unfed segments.
_EVERY_S = 2.0


class Balancing:
    """Moves unfed segments between live devices, by their measured speeds."""

    def __init__(
        self,
        session: RunSession,
        snapshot_id: str,
        members: Mapping[str, Member],
        feeder: Feeder,
        recorder: Recorder,
    ) -> None:
        self.moved_count = 0
        self._session = session
        self._snapshot_id = snapshot_id
        self._members = members
        self._feeder = feeder
        self._recorder = recorder
        self._next_s = time.monotonic() + _EVERY_S

    def balance(self) -> None:
        """Look, if it is time, and move what shortens the run by more than 5 %."""
        if time.monotonic() < self._next_s:
            return
        # Who does not find a source would take what it cannot store again and again.
        live = [member for member in self._members.values() if member.is_live and member.sees_sources]
        if len(live) > 1 and not all(map(self._recorder.is_finished, live)):
            self._withdraw_for_the_idle(live)
            self._move(rebalance(self._backlogs(live)))
        self._next_s = time.monotonic() + _EVERY_S

    def _withdraw_for_the_idle(self, live: list[Member]) -> None:
        """When a device has nothing to do, what others have fed but not begun is free to move as well."""
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
            self._feeder.sent.pop(order.order_id, None)
            self._session.catalog.transitions.replan(self._snapshot_id, [order.number], order.device)

    def _backlogs(self, live: list[Member]) -> dict[str, Backlog]:
        watch = self._session.courier.watch
        known = {member.name: watch.speed_bytes_per_s(member.name) or 0.0 for member in live}
        typical = max(known.values())
        return {member.name: self._backlog(member, known[member.name] or typical) for member in live if typical > 0}

    def _backlog(self, member: Member, speed_bytes_per_s: float) -> Backlog:
        courier = self._session.courier
        in_flight_bytes = sum(
            order.extents.total_bytes for order in courier.in_flight(member.name) if isinstance(order, StoreSegment)
        )
        begun_bytes = max(0, courier.watch.bytes_moved(member.name) - self._recorder.bytes_done[member.name])
        return Backlog(
            committed_bytes=max(0, in_flight_bytes - begun_bytes),
            unfed=self._session.catalog.segments.planned_sizes(self._snapshot_id, member.name),
            speed_bytes_per_s=speed_bytes_per_s,
            free_bytes=member.room_bytes,
        )

    def _move(self, moves: Mapping[int, str]) -> None:
        catalog = self._session.catalog
        for device in sorted(set(moves.values())):
            numbers = [number for number, target in moves.items() if target == device]
            for row in catalog.segments.by_number(self._snapshot_id, numbers):
                self._members[row.device].hand_over(row.size_bytes, self._members[device])
            catalog.transitions.replan(self._snapshot_id, numbers, device)
        self.moved_count += len(moves)
