"""The courier carries orders to workers and receipts back, and makes up for what the broker loses or repeats.

It knows which orders are *in flight*: sent and not answered yet, at most a window of them for each device.  Its caller
gets exactly one receipt for each order:

- an order in flight whose message has vanished (no queue and no worker has it) is sent again;
- an order in flight that a worker refused, because this run gave no sign of life for a while, is sent again;
- a receipt for an order that is not in flight (a repeat, a stale epoch, another device) is dropped and counted.

When the run ends, in whatever way, the courier takes back its unfinished orders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from producer.dispatch.last_orders import LastOrders
from producer.dispatch.life_signs import LifeSigns
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.liveness import Liveness
from producer.dispatch.queue_moves import LEAVE, Choose, Destination
from producer.dispatch.strays import Strays, answers
from producer.fleet.local import Fleet
from producer.observer import Observer
from tasks.broker.queues import device_queue
from tasks.errors import BrokerError, NoParcelError, RunOverError
from tasks.orders import Order, StoreSegment
from tasks.receipts import Receipt
from tasks.wire import encode

#: Orders in one device's queue at a time.  Enough to hide the manager's delays (a bundle takes 100 ms or more), few
#: enough to move quickly; a message takes 1.4 KB in the broker, a bundle's up to 400 KB.
WINDOW_COUNT = 16

#: How often the courier looks for lost orders.  An order counts as lost when it is missing twice in a row: for an
#: instant, while a worker takes a message, the message is neither in the queue nor among the unacknowledged ones.
_RECONCILE_EVERY_S = 3.0

#: At the end of the run: how long to wait for agents that are writing to a target.
_LAST_RECEIPTS_S = 10.0

#: The size of orders that store no segment, for the decision whether their worker hangs.
_OTHER_ORDER_BYTES = 64 * 1024 * 1024

#: Codes of workers that refuse an order which this run needs.
_SENT_AGAIN = frozenset({RunOverError.code, NoParcelError.code})


class Courier:
    """Keeps the windows, matches receipts, and sends lost orders again.  Used from the run's thread only."""

    window_count = WINDOW_COUNT

    def __init__(self, link: Link, fleet: Fleet, devices: Iterable[str], limits: Limits, observer: Observer) -> None:
        self._strays = Strays()
        devices = list(devices)
        self._devices = devices
        self._signs = LifeSigns(link)
        self.liveness = Liveness(link, fleet, devices, limits)
        self._link = link
        self._fleet = fleet
        self._observer = observer
        self._by_device: dict[str, dict[str, Order]] = {device: {} for device in devices}
        self._restarted: set[str] = set()
        #: Devices that lost one of several workers, whose messages must still be taken back.
        self._departed: set[str] = set()
        #: Devices whose worker was replaced, and whose messages must still be taken back.
        self._held: set[str] = set()
        self._missing: set[str] = set()
        self._next_reconcile_s = time.monotonic() + _RECONCILE_EVERY_S

    # ---- devices

    @property
    def live(self) -> list[str]:
        return list(self._by_device)

    def lost_devices(self) -> dict[str, str]:
        """Device → why, for live devices that no worker serves any longer.  The caller ends them with :meth:`drop`.

        A worker that hangs is replaced once; a device that hangs a second time is lost.
        """
        lost = self.liveness.gone()
        for device, why in self.liveness.hung(self._sizes()).items():
            if device in self._restarted:
                lost[device] = f"{why}, for the second time"
            elif device not in lost:
                self._restart(device, why)
        return lost

    def _restart(self, device: str, why: str) -> None:
        self._restarted.add(device)
        self._observer.note(f"replacing the worker of device {device}: {why}")
        self._fleet.restart(device)
        self.liveness.begin(device)
        self._held.add(device)
        self._take_back()

    def _take_back(self) -> None:
        """Put back into their queues what replaced workers held: until then it looks like work in progress."""
        for device in list(self._held):
            try:
                self._link.move(device, _stay_at(device))
            except BrokerError:
                # The next reconciliation tries again.
                return
            self._held.discard(device)

    def drop(self, device: str) -> list[Order]:
        """End the device's worker; returns the orders that were in flight there and no longer are."""
        orders = list(self._by_device.pop(device, {}).values())
        self._held.discard(device)
        self.liveness.end(device)
        self._fleet.kill(device)
        return orders

    def give_up(self, device: str) -> list[Order]:
        """Like :meth:`drop`, for orders that no other device takes over: a worker that comes back refuses them."""
        orders = self.drop(device)
        for device_id, epoch in {(order.device_id, order.epoch) for order in orders if order.device_id}:
            self._link.fence(device_id, epoch + 1)
        with suppress(BrokerError):  # the end of the run tries again
            self._link.purge_own(device)
        return orders

    def bring_back(self, device: str) -> None:
        """Start a worker for a device that was dropped."""
        self._by_device[device] = {}
        self._restarted.discard(device)
        self._fleet.restart(device)
        self.liveness.begin(device)

    # ---- orders

    def room(self, device: str, window_count: int = WINDOW_COUNT) -> int:
        """How many more orders fit into the device's window; 0 for a dead device."""
        orders = self._by_device.get(device)
        return 0 if orders is None else max(0, window_count - len(orders))

    def in_flight(self, device: str) -> list[Order]:
        return list(self._by_device.get(device, {}).values())

    @property
    def in_flight_count(self) -> int:
        return sum(map(len, self._by_device.values()))

    def send(self, orders: Sequence[Order]) -> None:
        """Publish orders.  Raises BrokerError; they are in flight even then, and :meth:`poll` sends them again."""
        for order in orders:
            self._by_device[order.device][order.order_id] = order
        self._signs.before(orders)
        self._link.send(orders)

    def withdraw(self, orders: Sequence[Order]) -> list[Order]:
        """Take back those orders that no worker has started; they are no longer in flight.  Raises BrokerError."""
        wanted = {order.order_id: order for order in orders}
        taken = self._link.withdraw({order.device for order in orders}, wanted.keys())
        # Each once: a message that was sent twice is also taken back twice.
        return [self._by_device[wanted[order_id].device].pop(order_id) for order_id in dict.fromkeys(taken)]

    def readdress(self, device: str, orders: Sequence[Order], fields_of: Callable[[Order], dict[str, Any]]) -> set[str]:
        """Move a dropped device's orders to other devices' queues; ``fields_of`` gives device, device_id and epoch.

        Returns the ids of the orders that were moved; they are in flight again.  The caller must send the others
        anew, because the broker no longer had them.  Raises BrokerError.
        """
        changed = {order.order_id: replace(order, **fields_of(order)) for order in orders}

        def choose(wire: Any) -> Destination | None:
            order = changed.get(wire["order_id"])
            if order is not None:
                # The whole order: whatever the dead device's agent did to the message goes no further.
                return Destination(queue=device_queue(order.device), changes=encode(order))
            # Another manager decides about its own orders; ours that are not in flight are obsolete.
            return LEAVE if wire["reply_to"] != self._link.inbox else None

        moved = self._link.move(device, choose).keys() & changed.keys()
        for order_id in moved:
            order = changed[order_id]
            self._by_device[order.device][order_id] = order
        return moved

    def strays(self) -> Strays:
        return replace(self._strays, receipts_refused=self._link.refused_count)

    # ---- receipts

    def poll(self, timeout_s: float) -> list[tuple[Order, Receipt]]:
        """Wait for receipts; returns each with its order, which is no longer in flight."""
        answered, refused = [], []
        for receipt in self._link.receipts(timeout_s):
            order = self._match(receipt)
            if order is None:
                self._strays.receipts_dropped += 1
            elif receipt.failure is not None and receipt.failure.code in _SENT_AGAIN:
                refused.append(order)
            else:
                answered.append((order, receipt))
        self._signs.give_if_due()
        self._send_refused(refused)
        self.liveness.look()
        self._take_back_from_departed()
        self._reconcile()
        return answered

    def _send_refused(self, orders: Sequence[Order]) -> None:
        """Send again what workers refused: they believed that this run was over, or the broker had lost a parcel."""
        self._strays.orders_refused += len(orders)
        if orders:
            with suppress(BrokerError):  # they are in flight even so
                self.send(orders)

    def _match(self, receipt: Receipt) -> Order | None:
        orders = self._by_device.get(receipt.device, {})
        order = orders.get(receipt.order_id)
        if order is None or not answers(receipt, order):
            return None
        self.liveness.answered(receipt.device)
        return orders.pop(receipt.order_id)

    def _take_back_from_departed(self) -> None:
        """Where one worker of several is gone, put what it held back into the device's queue."""
        self._departed |= self.liveness.take_departed()
        for device in self._departed & self._by_device.keys():
            try:
                self._link.release(device, held=self.liveness.in_hand(device))
            except BrokerError:
                return
        self._departed.clear()

    def _reconcile(self) -> None:
        """Send again those orders in flight that are nowhere to be found."""
        if time.monotonic() < self._next_reconcile_s:
            return
        self._next_reconcile_s = time.monotonic() + _RECONCILE_EVERY_S
        self._take_back()
        waiting = self._link.waiting(self._by_device)
        if waiting is None:
            return
        orders = {order_id: order for each in self._by_device.values() for order_id, order in each.items()}
        at_work = {order_id for device in self._by_device for order_id in self.liveness.in_hand(device)}
        missing = orders.keys() - waiting - at_work
        lost, self._missing = missing & self._missing, missing
        if lost:
            self._strays.orders_resent += len(lost)
            self._resend([orders[order_id] for order_id in lost])

    def _resend(self, orders: list[Order]) -> None:
        try:
            self._link.send(orders)
        except BrokerError:
            # They are still missing, so the next reconciliation sends them.
            return

    # ---- the end

    def end(self) -> None:
        """Make sure that no order of the run is carried out after its end; waits for agents that write to a target."""
        self._signs.end()
        last = LastOrders()
        try:
            for device in self._devices:
                purged = self._link.purge_own(device)
                if device in self._by_device and self._fleet.is_shared(device):
                    last.add(device, purged, self._by_device[device])
        except BrokerError as error:
            self._observer.note(str(error))
            return
        if last.are_left:
            self._observer.note("waiting for agents to finish their current orders")
        deadline_s = time.monotonic() + _LAST_RECEIPTS_S
        while last.are_left and time.monotonic() < deadline_s:
            last.take(self._link.receipts(0.1))

    def _sizes(self) -> dict[str, dict[str, int]]:
        """Device → order id → bytes, for the orders in flight."""
        return {
            device: {order_id: _size_bytes(order) for order_id, order in orders.items()}
            for device, orders in self._by_device.items()
        }


def _size_bytes(order: Order) -> int:
    return order.extents.total_bytes if isinstance(order, StoreSegment) else _OTHER_ORDER_BYTES


def _stay_at(device: str) -> Choose:
    return lambda _: Destination(queue=device_queue(device))
