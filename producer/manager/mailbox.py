"""Messages between masters and managers: lists of plain JSON in the broker.

Celery's envelope is for orders.  It would let a message choose how it is decoded and decompressed, and these come from
anyone who may write into a command queue.

A message is taken without acknowledgement.  Redis delivers an unacknowledged message again hours later, and a backup
that starts then is worse than a command that its sender must repeat.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Any, Self

import redis

from tasks.bounded_json import dump_json, load_json
from tasks.broker.leases import redis_client
from tasks.broker.queues import MASTER_PREFIX
from tasks.errors import BrokerError, MessageError
from tasks.wire import encode

log = logging.getLogger("segfleet.mailbox")

_BROKEN = (OSError, redis.RedisError)

#: Replies that nobody fetches are gone after an hour.
_REPLY_LIFE_S = 3600

#: Messages taken at once.
_RECEIVED_COUNT = 16

#: The server counts in hundredths of a second, and 0 means for ever.
_SHORTEST_WAIT_S = 0.01


class Mailbox:
    """One inbox, and the way to all others.  Used from one thread; a context manager."""

    def __init__(self, url: str, inbox: str) -> None:
        self.inbox = inbox
        self.redis = redis_client(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.redis.close()

    def now_s(self) -> int:
        """The broker's clock, which all hosts share; raises BrokerError."""
        try:
            return int(self.redis.time()[0])
        except _BROKEN as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def send(self, name: str, message: Any) -> None:
        """Put a message into the queue ``name``; raises BrokerError."""
        try:
            self.redis.lpush(name, dump_json(encode(message)))
            if name.startswith(MASTER_PREFIX):
                self.redis.expire(name, _REPLY_LIFE_S)
        except _BROKEN as error:
            raise BrokerError(f"cannot send to {name}: {error}") from error

    def waiting_count(self, name: str) -> int:
        """How many messages of the queue ``name`` nobody has taken yet; raises BrokerError."""
        try:
            return int(self.redis.llen(name))
        except _BROKEN as error:
            raise BrokerError(f"cannot look at {name}: {error}") from error

    def receive(self, timeout_s: float) -> list[Any]:
        """What has come, as plain values that nobody has checked; waits up to ``timeout_s`` for the first.

        A few at a time, so that what the caller does not take stays in the broker.  What is not a message is skipped
        and logged.  Returns nothing while the broker is away.
        """
        deadline = time.monotonic() + timeout_s
        try:
            return self._decoded(self._fetch(timeout_s))
        except _BROKEN as error:
            log.warning("broker lost: %s", error)
            time.sleep(max(0.0, min(0.5, deadline - time.monotonic())))
            return []

    def _fetch(self, timeout_s: float) -> list[bytes]:
        first: Any = self.redis.brpop([self.inbox], timeout=max(_SHORTEST_WAIT_S, timeout_s))
        if first is None:
            return []
        more: Any = self.redis.rpop(self.inbox, _RECEIVED_COUNT - 1)
        return [first[1], *(more or ())]

    def _decoded(self, messages: list[bytes]) -> list[Any]:
        decoded = []
        for message in messages:
            try:
                value = load_json(message)
                if not isinstance(value, dict):
                    raise MessageError(f"an object is expected, not {type(value).__name__}")
                decoded.append(value)
            except MessageError as error:
                log.warning("not a message, in %s: %s", self.inbox, error)
        return decoded

    def remove_inbox(self) -> None:
        try:
            self.redis.delete(self.inbox)
        except _BROKEN as error:
            log.debug("the inbox stays: %s", error)
