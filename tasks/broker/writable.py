"""Whether the broker takes writes: a replica, a server without memory and one with a full disk still answer reads.

Such a broker is of no use to anybody, but its leases expire and look as if all workers had died.  So it is asked with a
write before what it says is believed.
"""

from __future__ import annotations

import redis

#: Never there: the write below would only change what exists.
PROBE_KEY = "segfleet.probe"


def check_writable(client: redis.Redis) -> None:
    """Raises redis.RedisError when the server refuses writes; changes nothing.

    A user without the right to ask passes.
    """
    try:
        client.set(PROBE_KEY, 1, xx=True)
    except redis.exceptions.NoPermissionError:
        return
