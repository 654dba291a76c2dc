"""A parcel: bytes that an order needs and that its message only names.

As a message they would be base64 of JSON of base64, once for each device; a parcel lies in the broker once for all of
them, as it is, under its BLAKE3.  It may be gone before its order is carried out, as any message may: then the worker
refuses the order, and the run sends both again.
"""

from __future__ import annotations

import redis

PARCEL_PREFIX = "parcel."

#: What is smaller travels in the message.
MIN_PARCEL_BYTES = 64 * 1024

#: Orders that write manifests wait for a few others at most.
_LIFE_S = 3600


def put_parcel(client: redis.Redis, digest: str, data: bytes) -> None:
    """Keep the parcel for an hour from now; raises redis.RedisError."""
    if not client.expire(_key(digest), _LIFE_S):
        client.set(_key(digest), data, ex=_LIFE_S)


def get_parcel(client: redis.Redis, digest: str) -> bytes | None:
    """The parcel, not compared with its digest; None when it is not there.  Raises redis.RedisError."""
    found = client.get(_key(digest))
    return found if isinstance(found, bytes) else None


def drop_parcels(client: redis.Redis, digests: set[str]) -> None:
    """Raises redis.RedisError."""
    if digests:
        client.delete(*map(_key, digests))


def _key(digest: str) -> str:
    return PARCEL_PREFIX + digest
