"""Messages between masters and managers, through the broker: plain JSON, no code.

They are taken without acknowledgement.  Redis gives an unacknowledged message out again hours later; a backup that
begins then is worse than a command that its sender must repeat.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Any, Self

import redis
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError

from tasks.app import NO_MESSAGE, NO_SWEEPS, queue, transport_options
from tasks.errors import BrokerError
from tasks.leases import redis_client
from tasks.queues import MASTER_PREFIX
from tasks.wire import encode

log = logging.getLogger("segfleet.mailbox")

_BROKEN = (OSError, redis.RedisError, KombuError, OperationalError)

#: Replies that nobody fetches are gone after an hour.
_REPLY_LIFE_S = 3600


#: Messages taken at once.
_RECEIVED_COUNT = 16


class Mailbox:
    """One inbox, and the way to all others.  Used from one thread; a context manager."""

    def __init__(self, url: str, inbox: str) -> None:
        self.inbox = inbox
        self.redis = redis_client(url)
        self._connection = Connection(url, transport_options=transport_options(f"segfleet:{inbox}", inbox) | NO_SWEEPS)
        self._received: list[Any] = []
        self._consumer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._disconnect()
        self.redis.close()

    def now_s(self) -> int:
        """The broker's clock, which all hosts share; raises BrokerError."""
        try:
            return int(self.redis.time()[0])
        except redis.RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def send(self, name: str, message: Any) -> None:
        """Put a message into the queue ``name``; raises BrokerError."""
        try:
            with self._connection.Producer() as producer:
                producer.publish(encode(message), exchange="", routing_key=name, serializer="json", delivery_mode=2)
            if name.startswith(MASTER_PREFIX):
                self.redis.expire(name, _REPLY_LIFE_S)
        except _BROKEN as error:
            self._disconnect()
            raise BrokerError(f"cannot send to {name}: {error}") from error

    def waiting_count(self, name: str) -> int:
        """How many messages of the queue ``name`` nobody has taken yet; raises BrokerError."""
        try:
            return int(self.redis.llen(name))
        except redis.RedisError as error:
            raise BrokerError(f"cannot look at {name}: {error}") from error

    def receive(self, timeout_s: float) -> list[Any]:
        """What has come, as plain values that nobody has checked; waits up to ``timeout_s`` for the first.

        A few at a time, so that what the caller does not take stays in the broker.  What is no message is passed over.

        Nothing while the broker is away.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._connect()
            for _ in range(_RECEIVED_COUNT):
                self._drain(0.001 if self._received else max(0.001, deadline - time.monotonic()))
        except TimeoutError:
            pass
        except _BROKEN as error:
            log.warning("broker lost: %s", error)
            self._disconnect()
            time.sleep(max(0.0, min(0.5, deadline - time.monotonic())))
        received, self._received = self._received, []
        return received

    def _drain(self, timeout_s: float) -> None:
        try:
            self._connection.drain_events(timeout=timeout_s)
        except NO_MESSAGE as error:
            self._refuse(error)

    def remove_inbox(self) -> None:
        try:
            self.redis.delete(self.inbox)
        except redis.RedisError as error:
            log.debug("the inbox stays: %s", error)

    def _connect(self) -> None:
        if self._consumer is None:
            self._consumer = self._connection.Consumer(
                [queue(self.inbox)],
                callbacks=[self._take],
                accept=["json"],
                no_ack=True,
                auto_declare=False,
                on_decode_error=lambda _message, error: self._refuse(error),
            )
            self._consumer.consume()

    def _take(self, body: Any, _message: Any) -> None:
        self._received.append(body)

    def _refuse(self, error: Exception) -> None:
        log.warning("not a message, in %s: %r", self.inbox, error)

    def _disconnect(self) -> None:
        self._consumer = None
        try:
            self._connection.release()
        except _BROKEN as error:
            log.debug("while closing a broken connection: %s", error)
