"""A command whose output goes to the master unchanged: lists, plans, and the bytes of a dump."""

from __future__ import annotations

import base64
import logging
import signal
import time
from collections import deque
from collections.abc import Callable

from producer.manager.child import Child
from producer.manager.protocol.messages import Command, Reply, ReplyKind
from tasks.errors import BrokerError

log = logging.getLogger("segfleet.manager")

#: Bytes in one reply; base64 makes them a third larger.
_CHUNK_BYTES = 512 * 1024

#: Replies waiting in the broker for one master: 11 MB at most.
_WINDOW_COUNT = 16

#: How long one look may take: other commands wait meanwhile.
_LOOK_S = 0.05
_WAIT_S = 0.01

#: A master that takes nothing for this long is gone; one that waits for a slow reader is not.
_GONE_S = 600.0


class Passing:
    """Call :meth:`look` often.

    ``send`` raises BrokerError when that is not certain: the reply is sent again, and the master knows repeats by
    their number.  ``waiting_count`` tells how many replies wait for a master.  While its window is full the child's
    pipe is not read, so the child waits: memory is bounded here, there and in the broker, however much there is.
    """

    def __init__(
        self,
        command: Command,
        child: Child,
        *,
        send: Callable[[str, Reply], None],
        waiting_count: Callable[[str], int],
    ) -> None:
        self.command = command
        self._child = child
        self._send = send
        self._waiting_count = waiting_count
        self._unsent: deque[Reply] = deque()
        self._number = 0
        self._stopped = False
        self._taken_s = time.monotonic()

    def look(self) -> int | None:
        """Pass on what the child has printed; its exit code once it has ended and all has been sent."""
        deadline = time.monotonic() + _LOOK_S
        while time.monotonic() < deadline:
            if not self._unsent:
                self._fetch()
            if not self._unsent:
                return None
            if not self._pass_on(self._unsent[0]):
                return self._give_up() if time.monotonic() > self._taken_s + _GONE_S else None
            sent = self._unsent.popleft()
            if sent.kind == "end":
                return sent.exit_code
        return None

    def stop(self) -> None:
        """Stop the command; nobody gets what it prints from now on."""
        self._stopped = True
        self._child.signal(signal.SIGINT)

    def pause(self) -> None:
        """As :meth:`stop`, for a manager that ends: the command must be given again."""
        self._stopped = True
        self._child.signal(signal.SIGTERM)

    def kill(self) -> None:
        self._child.end()

    def _fetch(self) -> None:
        for line in self._child.errors():
            self._add("err", line)
        data = self._child.data(_CHUNK_BYTES, _WAIT_S)
        if data and not self._stopped:
            self._add("data", base64.b64encode(data).decode("ascii"))
        code = None if data else self._child.exit_code()
        if code is not None:
            self._add("end", "", code)

    def _add(self, kind: ReplyKind, text: str, exit_code: int = 0) -> None:
        self._number += 1
        self._unsent.append(self.command.reply(kind, text, number=self._number, exit_code=exit_code))

    def _pass_on(self, reply: Reply) -> bool:
        """Whether it is sent; not when the window is full, or the broker away."""
        try:
            if self._waiting_count(self.command.reply_to) >= _WINDOW_COUNT:
                return False
            self._send(self.command.reply_to, reply)
        except BrokerError as error:
            log.warning("sent again later: %s", error)
            return False
        self._taken_s = time.monotonic()
        return True

    def _give_up(self) -> int:
        log.warning("%s: its master has taken nothing for %.0f s", self.command.command, _GONE_S)
        self._child.end()
        return -signal.SIGKILL
