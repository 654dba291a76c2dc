"""Sends one command to a manager and shows the replies."""

from __future__ import annotations

import base64
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol

import redis

from producer.host.signals import ending_signals
from producer.manager.asks import RUNS, STOP, Ask, AskStop
from producer.manager.mailbox import Mailbox
from producer.manager.messages import Command, Reply, decode_reply
from producer.manager.presence import RunStatus, runs
from producer.master.choose import ANSWER_S, NoManagerError, is_there, where
from tasks.broker.queues import MASTER_PREFIX, command_queue
from tasks.errors import BrokerError, InterruptedRun, MessageError, OutputError, SegfleetError

#: How often a master that hears nothing checks that its manager lives and the run continues.
_LOOK_EVERY_S = 5.0


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
        self._nonce = nonce
        self._is_run = is_run
        self._numbered_count = 0
        #: After such a silence; every reply of the manager restarts the wait.
        self._next_look_s = 0.0
        #: What the last check found; nothing has come since.
        self._ended: RunStatus | None = None

    def send(self, make: Callable[[int], Command]) -> None:
        """Returns once the manager has accepted; raises NoManagerError when it does not answer within ANSWER_S.

        ``make`` gets the time at which the command expires, so that a manager that comes late leaves it alone.
        """
        self._mailbox.send(command_queue(self._manager), make(self._mailbox.now_s() + int(ANSWER_S)))
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            for reply in self._replies():
                if reply.kind == "refused":
                    raise SegfleetError(f"manager {self._manager}: {reply.text}", hint="look with: segfleet status")
                if reply.kind == "accepted":
                    return
        raise NoManagerError(
            f"manager {self._manager} does not answer within {ANSWER_S:.0f} s at {where(self._url, self._manager)}"
        )

    def follow(self, show: Show) -> int:
        """Show all that the command prints; returns its exit code.  The first Ctrl-C stops it in order.

        Raises BrokerError when a part of the output was lost, NoManagerError when the manager goes away while it
        prints a list or a dump.  (A run goes on when its manager comes back.)
        """
        try:
            with _on_interrupt(self._stop):
                return self._show_all(show)
        except (OutputError, BrokerError):
            # The reader of our output is gone.
            with suppress(BrokerError):
                self._stop()
            raise

    def _show_all(self, show: Show) -> int:
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        while True:
            exit_code = self._look_after_silence()
            if exit_code is not None:
                show.err(f"segfleet: the broker lost the end of the output of run {self._run_id[:8]}")
                return exit_code
            for reply in self._replies():
                self._next_look_s = time.monotonic() + _LOOK_EVERY_S
                self._ended = None
                match reply.kind:
                    case "end":
                        return reply.exit_code
                    case "out":
                        show.out(reply.text)
                    case "data":
                        show.data(_decoded(reply.text))
                    case "err":
                        show.err(reply.text)

    def _look_after_silence(self) -> int | None:
        """The exit code of a run whose last reply the broker lost, once two checks in a row found it ended."""
        if time.monotonic() < self._next_look_s:
            return None
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        try:
            is_manager_there = is_there(self._mailbox.redis, self._manager)
            found = next(iter(runs(self._mailbox.redis, self._run_id)), None) if self._is_run else None
        except redis.RedisError:
            return None
        if not self._is_run and not is_manager_there:
            raise NoManagerError(f"manager {self._manager} is gone", hint="run the command again when it is back")
        before, self._ended = self._ended, found
        # A manager that is away, or was away for a moment, may still resume the run.
        is_over = is_manager_there and found is not None and found == before
        return found.exit_code if found is not None and is_over else None

    def _stop(self) -> None:
        self._mailbox.send(
            command_queue(self._manager),
            Command(
                run_id=uuid.uuid4().hex,
                nonce=uuid.uuid4().hex,
                command=STOP,
                ask=AskStop(run_id=self._run_id),
                json=False,
                detached=False,
                reply_to=self._mailbox.inbox,
                expires_s=self._mailbox.now_s() + int(ANSWER_S),
            ),
        )

    def _replies(self) -> Iterator[Reply]:
        for wire in self._mailbox.receive(0.2):
            try:
                reply = decode_reply(wire)
            except MessageError:
                continue
            if (reply.run_id, reply.nonce) == (self._run_id, self._nonce) and self._is_new(reply):
                yield reply

    def _is_new(self, reply: Reply) -> bool:
        if not reply.number:
            return True
        if reply.number > self._numbered_count + 1:
            raise BrokerError(
                f"the broker lost a part of the output of manager {self._manager}", hint="run the command again"
            )
        is_new = reply.number > self._numbered_count
        self._numbered_count = reply.number
        return is_new


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


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP calls ``act``, the second raises InterruptedRun."""
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise InterruptedRun("interrupted; the run may continue", hint="look with: segfleet status")
        asked = True
        act()

    previous = {number: signal.signal(number, on_signal) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
