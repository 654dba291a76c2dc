"""A device's epoch in the broker: the fence between a device declared dead and a worker that comes back to life.

Each manager counts by itself, for managers share devices: what one has given up may be alive for another.  The
catalog holds the epoch; the manager copies it here when it raises it, and workers compare each order with that of the
manager who gave it.  An empty broker says 0, which fences nobody: the manager drops stale receipts in any case.
"""

from __future__ import annotations

import redis

EPOCH_PREFIX = "segfleet.epoch."

#: A worker that was away for longer than this finds its orders gone from the broker.
_LIFE_S = 14 * 24 * 3600


def publish_epoch(client: redis.Redis, manager_queue: str, device_id: str, epoch: int) -> None:
    """Fence all orders of earlier epochs that answer to ``manager_queue``; raises redis.RedisError."""
    client.set(_key(manager_queue, device_id), epoch, ex=_LIFE_S)


def current_epoch(client: redis.Redis, manager_queue: str, device_id: str) -> int:
    """The epoch that the manager has published, 0 when none; raises redis.RedisError."""
    value = client.get(_key(manager_queue, device_id))
    return int(value) if isinstance(value, bytes | str) and value.isdigit() else 0


def _key(manager_queue: str, device_id: str) -> str:
    return f"{EPOCH_PREFIX}{manager_queue}.{device_id}"
