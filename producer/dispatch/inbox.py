"""The inbox of a run: takes messages from its queue, whatever they are, and survives the loss of the broker.

They are taken without acknowledgement, so each is delivered at most once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from kombu import Connection

from tasks.app import BROKEN, NO_MESSAGE, queue

log = logging.getLogger("segfleet.inbox")

#: After losing the broker, before the next attempt.
_PAUSE_S = 0.2

#: Limits of one call, however many receipts come: its caller has other things to do, too.
AT_ONCE_COUNT = 500
_AT_ONCE_S = 0.25


class Inbox:
    """The queue ``name``.  Used from one thread; connects at its first use, and again after losing the broker."""

    def __init__(
        self, name: str, *, connect: Callable[[], Connection], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        """``on_lost`` is called whenever the broker does not answer."""
        self.name = name
        self.refused_count = 0
        self._connect = connect
        self._on_lost = on_lost
        self._connection: Connection | None = None
        self._consumer: Any = None
        self._received: list[Any] = []

    def receive(self, timeout_s: float) -> list[Any]:
        """The messages that are there, AT_ONCE_COUNT at most, as plain values that nobody has checked.

        Waits up to ``timeout_s`` for the first; skips what is not a message; returns nothing while the broker is away.
        """
        deadline_s = time.monotonic() + timeout_s
        try:
            connection = self._consume()
            while len(self._received) < AT_ONCE_COUNT and time.monotonic() < deadline_s + _AT_ONCE_S:
                self._drain(connection, 0.001 if self._received else max(0.001, deadline_s - time.monotonic()))
        except TimeoutError:
            pass
        except BROKEN as error:
            log.warning("broker lost: %s", error)
            self.abandon()
            self._on_lost()
            time.sleep(max(0.0, min(_PAUSE_S, deadline_s - time.monotonic())))
        received, self._received = self._received, []
        return received

    def refuse(self, why: object) -> None:
        """Count and log a message that cannot be used."""
        self.refused_count += 1
        log.warning("refused a message in %s: %s", self.name, why)

    def abandon(self) -> None:
        """Close a connection that may be dead, without the wait for an answer that is owed on it."""
        if self._connection is not None:
            for channel in getattr(self._connection.transport, "channels", ()):
                channel._in_poll = None
        self.disconnect()

    def disconnect(self) -> None:
        connection, self._connection, self._consumer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except BROKEN as error:
                log.debug("while closing a broken connection: %s", error)

    def _drain(self, connection: Connection, timeout_s: float) -> None:
        try:
            connection.drain_events(timeout=timeout_s)
        except NO_MESSAGE as error:
            self.refuse(f"not a message: {error!r}")

    def _consume(self) -> Connection:
        if self._connection is None or self._consumer is None:
            self.disconnect()
            self._connection = self._connect()
            consumer = self._connection.Consumer(
                [queue(self.name)],
                callbacks=[lambda body, _message: self._received.append(body)],
                accept=["json"],
                no_ack=True,
                auto_declare=False,
                on_decode_error=lambda _message, error: self.refuse(f"not a message: {error!r}"),
            )
            consumer.consume()
            self._consumer = consumer
        return self._connection
