"""Whether somebody looks at Flower: a key in the broker that expires unless ``segfleet flower`` renews it.

Workers read it when they renew their leases, and send events only while it is there.  So they need no channel on which
others could give them commands.
"""

from __future__ import annotations

import redis

WATCHED_KEY = "segfleet.flower"

TELL_EVERY_S = 2.0
_LIFE_S = 8


def tell_watched(client: redis.Redis) -> None:
    """Somebody looks, for the next seconds; raises redis.RedisError."""
    client.set(WATCHED_KEY, 1, ex=_LIFE_S)


def is_watched(client: redis.Redis) -> bool:
    """Whether somebody looks; False for a user who may not know.  Raises redis.RedisError."""
    try:
        return client.get(WATCHED_KEY) is not None
    except redis.exceptions.NoPermissionError:
        return False
