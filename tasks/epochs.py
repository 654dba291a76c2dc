"""A device's epoch in the broker: the fence between a device declared dead and a worker that comes back to life.

The catalog holds the epoch; the manager copies it here when it raises it, and workers compare each order with it.  An
empty broker says 0, which fences nobody: the manager drops stale receipts in any case.
"""

from __future__ import annotations

import redis

EPOCH_PREFIX = "segfleet.epoch."


def publish_epoch(client: redis.Redis, device_id: str, epoch: int) -> None:
    """Fence all orders of earlier epochs; raises redis.RedisError."""
    client.set(EPOCH_PREFIX + device_id, epoch)


def current_epoch(client: redis.Redis, device_id: str) -> int:
    """The epoch that the manager has published, 0 when none; raises redis.RedisError."""
    value = client.get(EPOCH_PREFIX + device_id)
    return int(value) if isinstance(value, bytes | str) and value.isdigit() else 0
