"""Carries orders to workers and receipts back, and notices what got lost on the way.

The courier knows which orders are in flight, at most a window of them for each device.  It hands out one receipt
for each order, whatever the broker loses or repeats:

- an order in flight whose message has vanished (in no queue, in no worker's hand) is sent again;
- a receipt of an order that is not in flight (a repeat, a stale epoch, another device) is dropped and counted;
- a device whose last worker died, or whose leases ran out, is told once as dead.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from producer.engine.fleet import LocalFleet
from producer.engine.link import Link
from tasks.leases import LEASE_LIFE_S, Lease
from tasks.orders import Order
from tasks.receipts import Receipt

#: Orders in one device's queue at a time.  Enough to hide the manager's delays (a bundle takes 100 ms or more), few
#: enough to move quickly; a message takes 1.4 KB in the broker, a bundle's up to 400 KB.
WINDOW_COUNT = 16

#: A worker boots in 0.7 s on two idle cores; past this something is wrong with it.
_BOOT_S = 60.0

#: Workers found a restarted broker again after 2 to 6 s.
_RECONNECT_S = 8.0

#: How often the leases are read and lost orders looked for.
_LEASES_EVERY_S = 0.5
_RECONCILE_EVERY_S = 5.0


@dataclass(slots=True)
class _Lane:
    """One device, as the courier sees it."""

    in_flight: dict[str, Order] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    #: When a lease was last seen; the start of the watch before the first.
    seen_at_s: float = 0.0
    booted: bool = False
    dead_because: str | None = None


class Courier:
    """Window, matching of receipts, liveness.  Used from the run's thread only."""

    window_count = WINDOW_COUNT

    def __init__(self, link: Link, fleet: LocalFleet, devices: Iterable[str]) -> None:
        self.duplicate_receipts_count = 0
        self.resent_count = 0
        self._link = link
        self._fleet = fleet
        now_s = time.monotonic()
        self._lanes = {device: _Lane(seen_at_s=now_s) for device in devices}
        self._next_leases_s = 0.0
        self._all_gone_s: float | None = None
        self._next_reconcile_s = now_s + _RECONCILE_EVERY_S

    @property
    def live(self) -> list[str]:
        return [device for device, lane in self._lanes.items() if lane.dead_because is None]

    def room(self, device: str, window_count: int = WINDOW_COUNT) -> int:
        """How many more orders the device's window takes; 0 for a dead one."""
        lane = self._lanes[device]
        return 0 if lane.dead_because is not None else max(0, window_count - len(lane.in_flight))

    def in_flight(self, device: str) -> list[Order]:
        return list(self._lanes[device].in_flight.values())

    @property
    def in_flight_count(self) -> int:
        return sum(len(lane.in_flight) for lane in self._lanes.values())

    def send(self, orders: Sequence[Order]) -> None:
        """Publish orders.  They are in flight even when this raises BrokerError: then the reconciler sends them."""
        for order in orders:
            self._lanes[order.device].in_flight[order.order_id] = order
        self._link.send(orders)

    def poll(self, timeout_s: float) -> list[tuple[Order, Receipt]]:
        """Orders in flight whose receipts have come, each once; they are in flight no more."""
        answered = []
        for receipt in self._link.receipts(timeout_s):
            order = self._match(receipt)
            if order is None:
                self.duplicate_receipts_count += 1
            else:
                answered.append((order, receipt))
        self._look_after_leases()
        return answered

    def _match(self, receipt: Receipt) -> Order | None:
        lane = self._lanes.get(receipt.device)
        order = lane.in_flight.get(receipt.order_id) if lane else None
        if lane is None or order is None or receipt.epoch != order.epoch:
            return None
        return lane.in_flight.pop(receipt.order_id)

    def bytes_moved(self, device: str) -> int:
        """What the device's workers have moved since they started, by their leases."""
        return sum(lease.bytes_moved for lease in self._lanes[device].leases)

    def any_order_in_hand(self) -> bool:
        """Whether a live worker says that it is at work on an order."""
        return any(lease.order_id for device in self.live for lease in self._lanes[device].leases)

    def declare_dead(self, device: str, because: str) -> None:
        """Take no more from the device: its orders are in flight no more, and its workers are ended."""
        lane = self._lanes[device]
        lane.dead_because = because
        lane.in_flight.clear()
        self._fleet.kill(device)

    def newly_dead(self) -> dict[str, str]:
        """Device → why, for live devices that no worker serves any more.  The caller declares them dead."""
        ended = self._fleet.exited()
        now_s = time.monotonic()
        found = {}
        for device in self.live:
            lane = self._lanes[device]
            limit_s = LEASE_LIFE_S if lane.booted else _BOOT_S
            if device in ended:
                found[device] = f"its worker ended ({ended[device]})"
            elif now_s - lane.seen_at_s > limit_s:
                found[device] = f"its worker has not been heard of for {now_s - lane.seen_at_s:.0f} s"
        return found

    def _look_after_leases(self) -> None:
        now_s = time.monotonic()
        if now_s < self._next_leases_s:
            return
        self._next_leases_s = now_s + _LEASES_EVERY_S
        leases = self._link.leases(self.live)
        if leases is None:
            self._all_gone_s = None
            self._forgive(now_s)
        elif not any(leases.values()):
            # All gone at once: suspect the broker before the devices, for as long as workers need to reconnect.
            self._all_gone_s = self._all_gone_s or now_s
            if now_s - self._all_gone_s < _RECONNECT_S:
                self._forgive(now_s)
        else:
            self._all_gone_s = None
            self._note_leases(leases, now_s)

    def _note_leases(self, leases: dict[str, list[Lease]], now_s: float) -> None:
        for device, found in leases.items():
            if found:
                lane = self._lanes[device]
                lane.leases, lane.seen_at_s, lane.booted = found, now_s, True

    def _forgive(self, now_s: float) -> None:
        """Everybody gets a whole lease's time again."""
        for lane in self._lanes.values():
            if lane.booted:
                lane.seen_at_s = now_s
