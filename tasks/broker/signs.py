"""A run's signs of life in the broker: they fence the orders of a run that has ended.

An order that writes to a target, or makes a folder a device, must not be carried out after its run: an order of an
ended restore would overwrite what somebody has written there since.  So a run reports regularly that it is alive, and
at its end that it is over.  Workers check before they carry out such an order, and again while they do.

The broker's clock decides.  With an empty broker nothing is refused: it has no old orders either.  The orders of a run
that never gave a sign are not refused: it may be of an earlier release, or lack the rights.
"""

from __future__ import annotations

import redis

from tasks.broker.counts import count_in

SIGN_PREFIX = "segfleet.sign."

SIGN_EVERY_S = 1.0

#: A run that was silent for this long counts as over.  If it is alive after all, it sends refused orders again.  A
#: shorter time would repeat more work; a longer one would carry out more orders of a killed run.
SILENT_S = 15

#: A worker may come back with old orders within this time.
_LIFE_S = 14 * 24 * 3600

#: Instead of the time of a sign.
_OVER = 0


def give_sign(client: redis.Redis, manager_queue: str) -> None:
    """Report that the run whose receipts go to ``manager_queue`` is alive; raises redis.RedisError."""
    now_s, _ = client.time()
    client.set(_key(manager_queue), now_s, ex=_LIFE_S)


def give_last_sign(client: redis.Redis, manager_queue: str) -> None:
    """Report that it is over; raises redis.RedisError."""
    client.set(_key(manager_queue), _OVER, ex=_LIFE_S)


def is_over(client: redis.Redis, manager_queue: str) -> bool:
    """Whether the run has ended, or has been silent for too long; raises redis.RedisError."""
    with client.pipeline(transaction=False) as pipe:
        pipe.get(_key(manager_queue))
        pipe.time()
        sign, (now_s, _) = pipe.execute()
    seen_s = count_in(sign)
    return seen_s is not None and now_s - seen_s > SILENT_S


def _key(manager_queue: str) -> str:
    return SIGN_PREFIX + manager_queue
