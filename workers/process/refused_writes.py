"""What a worker does when the broker answers and refuses writes: it can neither take orders nor acknowledge one."""

from __future__ import annotations

import logging
import os
from typing import Any, NoReturn

import redis
from kombu.transport.redis import Channel, Transport

from tasks.app import WithoutSweeps

log = logging.getLogger("segfleet.refused_writes")


def end_where_writes_are_refused() -> None:
    """For this process: it ends, and whoever started it starts another, which waits for the broker.

    Only the order of a worker that is gone is given again, and its receipt is most likely lost too.  Celery would end
    as well, with the traceback of an error that it does not expect.
    """
    Transport.Channel = _EndingChannel


class _EndingQoS(WithoutSweeps):
    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except redis.ResponseError as error:
            _end(error)


class _EndingChannel(Channel):  # type: ignore[misc]
    QoS = _EndingQoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except redis.ResponseError as error:
            _end(error)


def _end(error: redis.ResponseError) -> NoReturn:
    log.error("the broker refuses what a worker needs, so this one ends, and its order is given again: %s", error)
    logging.shutdown()
    os._exit(1)
