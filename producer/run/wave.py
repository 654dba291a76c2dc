"""A wave: a set of orders that must all be answered before the run continues.

For orders that the catalog does not record: markers, manifests, restores, checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from producer.dispatch.courier import WINDOW_COUNT
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import Order
from tasks.receipts import Receipt

#: Making the order that restores a bundle of 1,700 files takes 20 ms, so filling a window takes a third of a second.
_AT_ONCE_COUNT = 2


def run_wave(
    session: RunSession,
    orders: Mapping[str, Iterable[Order]],
    on_receipt: Callable[[Order, Receipt], None],
    *,
    window_count: int = WINDOW_COUNT,
    on_wait: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """Send the orders of each device, a window at a time, until each order is answered or its device is dead.

    Does not wait for other devices, which may be asked meanwhile whether they are back.

    The iterables are consumed lazily, so they may make their orders on the way.  Calls ``on_receipt`` once for each
    answered order, and ``on_wait`` some ten times a second.  Returns the devices that left orders unanswered → why;
    these are given up, whether they died now or before.  Raises InterruptedRun.
    """
    courier = session.courier
    backlog: dict[str, Iterator[Order]] = {device: iter(orders[device]) for device in orders if device in courier.live}
    died = {device: "its worker had already ended" for device in orders if device not in courier.live}
    while backlog or any(map(courier.in_flight, orders)):
        session.interrupt.check()
        _fill(session, backlog, window_count)
        if not backlog and not any(map(courier.in_flight, orders)):
            break
        for order, receipt in courier.poll(0.1):
            if order.device in orders:
                on_receipt(order, receipt)
        for device, why in courier.lost_devices().items():
            # A device that had nothing left to do here has not failed.
            if (courier.give_up(device) and device in orders) or device in backlog:
                died[device] = why
            backlog.pop(device, None)
        on_wait()
    return died


def _fill(session: RunSession, backlog: dict[str, Iterator[Order]], window_count: int) -> None:
    """Fill the windows, a few orders for each device in turn, so that no worker waits for the orders of another."""
    ready = list(backlog)
    while ready:
        ready = [device for device in ready if _send_some(session, backlog, device, window_count)]


def _send_some(session: RunSession, backlog: dict[str, Iterator[Order]], device: str, window_count: int) -> bool:
    """Send a few orders to ``device``; returns whether it may take more at once."""
    room_count = min(session.courier.room(device, window_count), _AT_ONCE_COUNT)
    orders = list(islice(backlog[device], room_count))
    if len(orders) < room_count:
        del backlog[device]
    # They are in flight even if the broker is away; the courier sends them again once it is back.
    with suppress(BrokerError):
        session.courier.send(orders)
    return len(orders) == _AT_ONCE_COUNT
