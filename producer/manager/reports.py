"""What a manager reports in the broker: replies to masters, and the state of its runs.

A report that the broker does not take is lost: the next one follows within a second.  The end of a run has no next one.
So it is reported until the broker has it, and then again for a while, because a broker that restarts may have lost the
last second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis
from msgspec import Struct

from producer.manager.mailbox import Mailbox
from producer.manager.presence import RunStatus, tell_run
from producer.manager.protocol.messages import Reply
from tasks.errors import BrokerError

log = logging.getLogger("segfleet.manager")

_REPEAT_EVERY_S = 5.0
_REPEAT_FOR_S = 60.0


class _End(Struct):
    status: RunStatus
    next_s: float = 0.0
    #: None until the broker has it.
    until_s: float | None = None


class Reports:
    """Call :meth:`repeat` every second."""

    def __init__(self, mailbox: Mailbox, *, on_end_reported: Callable[[RunStatus], None]) -> None:
        """``on_end_reported`` is called once the broker has the end of a run."""
        self._mailbox = mailbox
        self._on_end_reported = on_end_reported
        self._ends: dict[str, _End] = {}

    def reply(self, queue: str, reply: Reply) -> None:
        self.attempt(lambda: self._mailbox.send(queue, reply))

    def run(self, status: RunStatus) -> None:
        """Report the state of a run."""
        if status.exit_code is None:
            self.attempt(lambda: tell_run(self._mailbox.redis, status))
        else:
            self._ends[status.run_id] = _End(status)
            self.repeat()

    def repeat(self) -> None:
        """Report the ends of runs that are due to be reported (again)."""
        for end in list(self._ends.values()):
            now_s = time.monotonic()
            if now_s >= end.next_s and not self._report(end, now_s):
                # The broker is away; each attempt may take seconds.
                return

    def _report(self, end: _End, now_s: float) -> bool:
        if not self.attempt(lambda: tell_run(self._mailbox.redis, end.status)):
            return False
        end.next_s = now_s + _REPEAT_EVERY_S
        if end.until_s is None:
            end.until_s = now_s + _REPEAT_FOR_S
            self._on_end_reported(end.status)
        elif now_s > end.until_s:
            del self._ends[end.status.run_id]
        return True

    def attempt(self, act: Callable[[], None]) -> bool:
        """Whether the broker took it."""
        try:
            act()
        except (redis.RedisError, BrokerError) as error:
            log.warning("not reported: %s", error)
            return False
        return True
