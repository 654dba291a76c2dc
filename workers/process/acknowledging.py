"""What a worker does when the broker answers and refuses writes, so that it cannot acknowledge its order."""

from __future__ import annotations

import logging
import os
from typing import Any

import redis
from kombu.transport.redis import Channel

from tasks.app import WithoutSweeps

log = logging.getLogger("segfleet.acknowledging")


class _Ending(WithoutSweeps):
    """Ends the process instead: only the order of a worker that is gone is given again.

    Its receipt is most likely lost too.  Whoever started the worker starts another, which waits for the broker.
    """

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except redis.ResponseError as error:
            log.error("the broker refuses writes, so this worker ends and its order is given again: %s", error)
            logging.shutdown()
            os._exit(1)


def end_where_writes_are_refused() -> None:
    """For this process, from its next connection on; after ``connect``."""
    Channel.QoS = _Ending
