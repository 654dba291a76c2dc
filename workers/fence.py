"""Refuses orders that were given before their device was declared dead."""

from __future__ import annotations

import logging

import redis

from tasks.epochs import current_epoch
from tasks.errors import SegfleetError
from tasks.leases import redis_client
from tasks.orders import Order

log = logging.getLogger("segfleet.fence")


class FencedError(SegfleetError):
    """The device was declared dead after this order was given; its segments belong to others now."""

    code = "fenced"
    hint = "nothing to do: the manager has given the work to another device"


class Fence:
    """Asks the broker for a device's epoch.  Connects at its first use, which must be in the pool's child."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None

    def check(self, order: Order) -> None:
        """Raise FencedError for an order of an earlier epoch.

        A broker that does not answer fences nobody: the work is idempotent, and the manager drops the receipt.
        """
        if not order.device_id:
            return
        try:
            self._client = self._client or redis_client(self._url)
            epoch = current_epoch(self._client, order.reply_to, order.device_id)
        except redis.RedisError as error:
            log.warning("epoch not checked: %s", error)
            return
        if order.epoch < epoch:
            raise FencedError(f"order of epoch {order.epoch} for device {order.device}, whose epoch is {epoch}")
