"""Whether the user in the broker's URL may serve a device."""

from __future__ import annotations

from collections.abc import Iterable

import redis

from producer.broker.urls import without_password
from tasks.broker.leases import lease_key, redis_client
from tasks.errors import BrokerError


def check_may_serve(url: str, devices: Iterable[str]) -> None:
    """Raises BrokerError for a device that belongs to another user of the broker."""
    client = redis_client(url)
    try:
        for device in devices:
            _check_lease(client, device, url)
    finally:
        client.close()


def _check_lease(client: redis.Redis, device: str, url: str) -> None:
    try:
        # No worker has this name, and what does not exist is not changed.
        client.set(lease_key(device, "nobody"), b"", xx=True)
    except redis.exceptions.NoPermissionError:
        raise BrokerError(
            f"the broker {without_password(url)} does not let this user serve device {device}",
            hint=f"put the user agent-{device} into the [broker] url of this host: segfleet broker acl {device}",
        ) from None
    except redis.RedisError as error:
        raise BrokerError(f"broker {without_password(url)} cannot be used: {error}") from error
