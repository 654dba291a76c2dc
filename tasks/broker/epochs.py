"""A device's epoch in the broker fences workers that come back to life after their device was declared dead.

Each manager counts for itself, because managers share devices: a device that one gave up may be alive for another.
The catalog holds the epoch.  A manager copies it here when it raises it, and workers compare each order with the epoch
of the manager that sent it.  An empty broker means 0, which fences nobody: managers drop stale receipts in any case.
"""

from __future__ import annotations

import redis

from tasks.broker.counts import count_in

EPOCH_PREFIX = "segfleet.epoch."

#: A worker that was away for longer finds that its orders are gone from the broker.
_LIFE_S = 14 * 24 * 3600


def publish_epoch(client: redis.Redis, manager_queue: str, device_id: str, epoch: int) -> None:
    """Fence all orders of earlier epochs whose receipts go to ``manager_queue``; raises redis.RedisError."""
    client.set(_key(manager_queue, device_id), epoch, ex=_LIFE_S)


def current_epoch(client: redis.Redis, manager_queue: str, device_id: str) -> int:
    """The epoch that the manager has published, or 0; raises redis.RedisError."""
    return count_in(client.get(_key(manager_queue, device_id))) or 0


def _key(manager_queue: str, device_id: str) -> str:
    return f"{EPOCH_PREFIX}{manager_queue}.{device_id}"
