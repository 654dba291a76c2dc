"""A run's sign of life in the broker: the fence between a run that has ended and what it had ordered.

What writes to a target, or makes a device of a folder, must not happen when nobody expects it any more: an order of
a restore that has ended would write over what somebody has written there since.  So a run says again and again that
it lives, and at its end that it is over; workers look before they carry out such an order, and while they do.

The broker's clock decides.  An empty broker knows of no run, and refuses nothing: it has no old orders either.  Nor has
a run that gives no signs, of an earlier release or for want of rights, its orders refused.
"""

from __future__ import annotations

import redis

SIGN_PREFIX = "segfleet.sign."

SIGN_EVERY_S = 1.0

#: A run that was silent for so long is taken for over.  What is refused is ordered again if it lives: a short time
#: costs work that is done twice, a long one lets the orders of a killed run be carried out.
SILENT_S = 15

#: A worker may come back with old orders for as long as this.
_LIFE_S = 14 * 24 * 3600

#: In the place of the time of a sign.
_OVER = 0


def give_sign(client: redis.Redis, manager_queue: str) -> None:
    """Say that the run whose receipts go to ``manager_queue`` lives; raises redis.RedisError."""
    now_s, _ = client.time()
    client.set(_key(manager_queue), now_s, ex=_LIFE_S)


def give_last_sign(client: redis.Redis, manager_queue: str) -> None:
    """Say that it is over; raises redis.RedisError."""
    client.set(_key(manager_queue), _OVER, ex=_LIFE_S)


def is_over(client: redis.Redis, manager_queue: str) -> bool:
    """Whether the run has ended, or was silent for too long; raises redis.RedisError."""
    with client.pipeline(transaction=False) as pipe:
        pipe.get(_key(manager_queue))
        pipe.time()
        sign, (now_s, _) = pipe.execute()
    return isinstance(sign, bytes | str) and sign.isdigit() and now_s - int(sign) > SILENT_S


def _key(manager_queue: str) -> str:
    return SIGN_PREFIX + manager_queue
