"""Signals while a manager carries out a command: the first stops the run in order, the second ends the wait at once.

When nobody is there to stop the run, the first ends the wait too.
"""

from __future__ import annotations

import time
import uuid
from typing import NoReturn

from producer.host.signals import EndingInOrder
from producer.manager.mailbox import Mailbox
from producer.manager.protocol.asks.managing import AskStop
from producer.manager.protocol.asks.table import STOP
from producer.manager.protocol.messages import Command, Reply
from producer.master.choose import ANSWER_S
from tasks.broker.queues import command_queue
from tasks.errors import BrokerError, InterruptedRun


class Stopping(EndingInOrder):
    """A context in which signals are for the run.  Main thread only."""

    def __init__(self, mailbox: Mailbox, manager: str, run_id: str) -> None:
        super().__init__()
        self._mailbox = mailbox
        self._manager = manager
        self._run_id = run_id
        self._id, self._nonce = uuid.uuid4().hex, uuid.uuid4().hex
        #: For the manager's answer; None until it is asked.
        self._deadline_s: float | None = None
        self._is_answered = False

    def end_now(self) -> NoReturn:
        """End the wait, and leave the run to its manager; raises InterruptedRun."""
        self._end_wait("interrupted")

    def turn(self, *, has_manager: bool) -> None:
        """Call often.  After a signal: ask the manager once; raises InterruptedRun when it is not there to answer."""
        if not self.requested:
            return
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + ANSWER_S
            try:
                self.ask()
            except BrokerError as error:
                self._end_wait(f"interrupted; {error.message}")
        is_silent = not self._is_answered and time.monotonic() > self._deadline_s
        if is_silent or not has_manager:
            self._end_wait(f"interrupted; manager {self._manager} does not answer")

    def take(self, reply: Reply) -> None:
        """A reply that may be the answer, whatever it says: a run that is not there has ended."""
        self._is_answered |= (reply.run_id, reply.nonce) == (self._id, self._nonce)

    def ask(self) -> None:
        """Ask the manager to stop the run; raises BrokerError."""
        self._mailbox.send(
            command_queue(self._manager),
            Command(
                run_id=self._id,
                nonce=self._nonce,
                command=STOP,
                ask=AskStop(run_id=self._run_id),
                json=False,
                detached=False,
                reply_to=self._mailbox.inbox,
                expires_s=self._mailbox.now_s() + int(ANSWER_S),
            ),
        )

    def _end_wait(self, why: str) -> NoReturn:
        raise InterruptedRun(f"{why}; run {self._run_id[:8]} may continue", hint="see segfleet status")
