"""What a worker does when it cannot take orders or acknowledge one: it tries again, and ends when that is no use.

It could not stay.  Celery logs an acknowledgement that fails and drops it, and a worker with an order that is not
acknowledged takes no other: it would renew its lease and do nothing, for ever.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

import redis
from kombu.transport.redis import Channel, Transport

from tasks.app import TakenOrders

log = logging.getLogger("segfleet.acknowledging")

#: The pause before each attempt.  Each takes another connection, as one that failed is closed; a broker that restarts
#: is back by the last.
PAUSES_S = (0.0, 0.0, 0.2, 0.5, 1.0, 2.0, 3.0)


def end_where_orders_stay() -> None:
    """For this process: it ends, and anyone who started it starts another, which waits for the broker.

    Only the order of a worker that is gone is given again, and its receipt is most likely lost too.  A broker that
    refuses writes would end Celery as well, with the traceback of an error that it does not expect.
    """
    Transport.Channel = _EndingChannel


class _EndingQoS(TakenOrders):
    def ack(self, delivery_tag: Any) -> None:
        _insist(lambda: super(_EndingQoS, self).ack(delivery_tag))

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        _insist(lambda: super(_EndingQoS, self).reject(delivery_tag, requeue=requeue))


class _EndingChannel(Channel):  # type: ignore[misc]
    QoS = _EndingQoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except redis.ResponseError as error:
            _end("refuses what a worker needs", error)


def _insist(settle: Callable[[], object]) -> None:
    """To settle an order twice does no harm: only the first time finds it."""
    failed: Exception | None = None
    for pause_s in PAUSES_S:
        time.sleep(pause_s)
        try:
            settle()
            return
        except redis.ResponseError as error:
            _end("refuses what a worker needs", error)
        except (redis.RedisError, OSError) as error:
            log.info("the order is not acknowledged yet: %s", error)
            failed = error
    _end("does not answer", failed)


def _end(what: str, error: Exception | None) -> NoReturn:
    log.error("the broker %s, so this worker ends, and its order is delivered again: %s", what, error)
    logging.shutdown()
    os._exit(1)
