"""Sends one command to a manager and shows the replies.

No wait is silent: a manager or a broker that is away is named within seconds, and a signal ends every wait.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from producer.manager.mailbox import Mailbox
from producer.manager.protocol.asks.table import RUNS, Ask
from producer.manager.protocol.messages import Command
from producer.master.choose import ANSWER_S, NoManagerError, where
from producer.master.replies import Replies
from producer.master.silence import Silence
from producer.master.stopping import Stopping
from tasks.broker.queues import MASTER_PREFIX, command_queue
from tasks.errors import BrokerError, OutputError, SegfleetError

_WAIT_S = 0.2


class Show(Protocol):
    """Shows what a command prints on another host: whole lines of a run, else the bytes as they come."""

    def out(self, line: str) -> None: ...
    def data(self, data: bytes) -> None: ...
    def err(self, line: str) -> None: ...


class Asking:
    """One command, from sending to its end."""

    def __init__(self, url: str, manager: str, mailbox: Mailbox, *, run_id: str, nonce: str, is_run: bool) -> None:
        self._url = url
        self._manager = manager
        self._mailbox = mailbox
        self._run_id = run_id
        self._is_run = is_run
        self._replies = Replies(mailbox, manager, run_id=run_id, nonce=nonce)

    def send(self, make: Callable[[int], Command]) -> None:
        """Returns once the manager has accepted; raises NoManagerError when it does not answer within ANSWER_S.

        ``make`` gets the time at which the command expires, so that a manager that comes late leaves it alone.
        """
        self._mailbox.send(command_queue(self._manager), make(self._mailbox.now_s() + int(ANSWER_S)))
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            for reply in self._replies.receive(_WAIT_S):
                if reply.kind == "refused":
                    raise SegfleetError(f"manager {self._manager}: {reply.text}", hint="see segfleet status")
                if reply.kind == "accepted":
                    return
        raise NoManagerError(
            f"manager {self._manager} does not answer within {ANSWER_S:.0f} s at {where(self._url, self._manager)}"
        )

    def follow(self, show: Show) -> int:
        """Show all that the command prints; returns its exit code.  The first Ctrl-C stops it in order.

        Raises BrokerError when a part of the output was lost; NoManagerError when the manager goes away while it
        prints a list or a dump (a run continues when its manager is back); InterruptedRun after a signal when nobody
        answers, and after the second.
        """
        with Stopping(self._mailbox, self._manager, self._run_id) as stopping:
            try:
                return self._show_all(show, stopping)
            except (OutputError, BrokerError):
                # The reader of our output is gone.
                with suppress(BrokerError):
                    stopping.ask()
                raise

    def _show_all(self, show: Show, stopping: Stopping) -> int:
        silence = Silence(
            self._mailbox,
            self._manager,
            self._run_id,
            is_run=self._is_run,
            say=lambda text: show.err(f"segfleet: {text}"),
        )
        while True:
            exit_code = silence.look()
            if exit_code is not None:
                show.err(f"segfleet: the broker lost the end of the output of run {self._run_id[:8]}")
                return exit_code
            stopping.turn(has_manager=silence.has_manager)
            for reply in self._replies.receive(_WAIT_S, others=stopping.take):
                silence.heard()
                match reply.kind:
                    case "end":
                        return reply.exit_code
                    case "out":
                        show.out(reply.text)
                    case "data":
                        show.data(_decoded(reply.text))
                    case "err":
                        show.err(reply.text)


def ask(
    url: str,
    manager: str,
    command: str,
    what: Ask,
    *,
    json: bool,
    columns: int,
    detached: bool,
    show: Show,
    on_accepted: Callable[[str], None],
) -> int:
    """Have the manager carry out a command; returns its exit code, 0 at once when ``detached``.

    ``columns`` is the width of the terminal that shows the output, 0 without one.  ``on_accepted`` gets the run's id.
    Raises NoManagerError, BrokerError, UsageError for what no manager may be asked.
    """
    # The run's id is shown to all who look at runs; the nonce and the inbox only to the manager that is asked.
    run_id, nonce = uuid.uuid4().hex, uuid.uuid4().hex
    with Mailbox(url, MASTER_PREFIX + uuid.uuid4().hex) as mailbox:
        asking = Asking(url, manager, mailbox, run_id=run_id, nonce=nonce, is_run=command in RUNS)
        try:
            asking.send(
                lambda expires_s: Command(
                    run_id=run_id,
                    nonce=nonce,
                    command=command,
                    ask=what,
                    json=json,
                    columns=columns,
                    detached=detached,
                    reply_to=mailbox.inbox,
                    expires_s=expires_s,
                )
            )
            on_accepted(run_id)
            return 0 if detached else asking.follow(show)
        finally:
            mailbox.remove_inbox()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BrokerError(f"a reply in the broker is not base64: {error}") from error
