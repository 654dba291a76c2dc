"""Feeds planned segments to the devices: a bounded window each, from the catalog, in the plan's order."""

from __future__ import annotations

from producer.backup.storing.healing import Healing
from producer.backup.storing.state.in_flight import InFlight
from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.extents import SegmentContents
from producer.pool.members import Member
from producer.pool.storing.store_orders import StoreOrders
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import StoreSegment

#: What is fed cannot easily move to a faster device: two orders, and three seconds of work, keep a device busy.
_MIN_ORDERS_COUNT = 2
_AHEAD_S = 3.0

#: Assumed until a device's speed is known, a second after it has begun.
_FIRST_BYTES_PER_S = 30_000_000


class Feeder:
    """Turns rows of the catalog into orders and keeps every live device's window full."""

    def __init__(self, session: RunSession, state: BackupState, snapshot_id: str, orders: StoreOrders) -> None:
        self._session = session
        self._state = state
        self._snapshot_id = snapshot_id
        self._orders = orders
        self._healing = Healing(session.catalog, state)

    def fill(self) -> None:
        """Feed every live device up to its window."""
        for member in self._state.live:
            room = self._session.courier.room(member.name)
            # Half a window at a time: one transaction and one batch of messages for many segments.
            if room * 2 >= self._session.courier.window_count:
                self._feed(member, room)

    def _feed(self, member: Member, room: int) -> None:
        catalog, courier = self._session.catalog, self._session.courier
        orders = courier.in_flight(member.name)
        ahead_bytes = _AHEAD_S * (courier.liveness.speed_bytes_per_s(member.name) or _FIRST_BYTES_PER_S)
        ahead_bytes -= sum(order.extents.total_bytes for order in orders if isinstance(order, StoreSegment))
        if len(orders) >= _MIN_ORDERS_COUNT and ahead_bytes <= 0:
            return
        planned = catalog.segments.take_planned(self._snapshot_id, member.name, room)
        self._send(member, _within_reach(planned, _MIN_ORDERS_COUNT - len(orders), ahead_bytes))

    def _send(self, member: Member, rows: list[SegmentRow]) -> None:
        if not rows:
            return
        orders, given = [], []
        for row in rows:
            contents = self._contents(row)
            orders.append(self._orders.order(row, contents, member))
            given.append(InFlight(row=row, entries=contents.entries))
        self._state.give(member, given)
        try:
            self._session.courier.send(orders)
        except BrokerError as error:
            self._session.observer.note(f"{error}; the run continues when it is back")

    def _contents(self, row: SegmentRow) -> SegmentContents:
        if not row.heals:
            return self._orders.contents(row)
        found = self._healing.contents(row.segment_id, row.first_entry, row.stop_entry)
        assert found is not None
        return found


def _within_reach(rows: list[SegmentRow], least_count: int, ahead_bytes: float) -> list[SegmentRow]:
    """The first rows: ``least_count`` of them, and more as long as they begin within ``ahead_bytes``."""
    taken: list[SegmentRow] = []
    for row in rows:
        if ahead_bytes <= 0 and len(taken) >= least_count:
            break
        ahead_bytes -= row.size_bytes
        taken.append(row)
    return taken
