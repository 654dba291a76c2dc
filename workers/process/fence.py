"""Refuses orders from before their device was declared dead, and orders that have outlived their run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from tasks.broker.epochs import current_epoch
from tasks.broker.leases import redis_client
from tasks.broker.signs import is_over
from tasks.errors import RunOverError, SegfleetError
from tasks.orders import Order
from tasks.registry import kind_of

log = logging.getLogger("segfleet.fence")

T = TypeVar("T")

#: How often an order under way is checked again.
_LOOK_EVERY_S = 1.0


class FencedError(SegfleetError):
    """The device was declared dead after this order was sent; other devices have its segments now."""

    code = "fenced"
    hint = "nothing to do: the manager has given the work to another device"


class Fence:
    """Asks the broker for a device's epoch and a run's signs of life.

    Connects at its first use, which must be in the pool's child process.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None

    def check(self, order: Order) -> None:
        """Raise FencedError for an order of an earlier epoch, RunOverError for one that has outlived its run.

        Nobody is fenced while the broker does not answer: the work is idempotent, and the manager drops the receipt.
        """
        epoch = self._ask(current_epoch, order.reply_to, order.device_id) if order.device_id else None
        if epoch is not None and order.epoch < epoch:
            raise FencedError(f"order of epoch {order.epoch} for device {order.device}, whose epoch is {epoch}")
        if kind_of(order).must_not_outlive_run and self._ask(is_over, order.reply_to):
            raise RunOverError("the run that gave this order has ended, or gives no sign of life")

    def _ask(self, question: Callable[..., T], *names: str) -> T | None:
        """None when the broker does not answer or refuses this worker."""
        try:
            self._client = self._client or redis_client(self._url)
            return question(self._client, *names)
        except redis.RedisError as error:
            log.warning("order not compared with what its run says: %s", error)
            return None


def now_and_then(look: Callable[[], None]) -> Callable[[], None]:
    """Calls ``look`` at most once a second, first after a second: for the short steps of a fresh order."""
    next_s = time.monotonic() + _LOOK_EVERY_S

    def look_if_due() -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            look()
            next_s = time.monotonic() + _LOOK_EVERY_S

    return look_if_due
