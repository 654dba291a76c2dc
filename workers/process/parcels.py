"""Fetches what orders have left in the broker for whoever carries them out."""

from __future__ import annotations

import redis

from tasks.broker.leases import redis_client
from tasks.broker.parcels import get_parcel
from tasks.errors import BrokerError, NoParcelError


class Parcels:
    """Connects at its first use, which must be in the pool's child process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None

    def get(self, digest: str) -> bytes:
        """Raises NoParcelError when the broker has none, or does not answer; BrokerError when it refuses."""
        try:
            self._client = self._client or redis_client(self._url)
            found = get_parcel(self._client, digest)
        except redis.exceptions.NoPermissionError as error:
            raise BrokerError(
                f"the broker does not let this worker read parcels: {error}",
                hint="renew the rights of its user: segfleet broker acl prints them",
            ) from error
        except redis.RedisError as error:
            raise NoParcelError(f"the broker does not answer: {error}") from error
        if found is None:
            raise NoParcelError(f"the broker has no parcel {digest}")
        return found
