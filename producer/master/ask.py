"""Sends one command to a manager, and passes on what comes back."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from producer.manager.mailbox import Mailbox
from producer.manager.messages import STOP, Command, Reply, commands_queue, decode_reply
from producer.master.choose import ANSWER_S, NoManagerError, where
from tasks.errors import InterruptedRun, MessageError, SegfleetError


class Show(Protocol):
    """Shows what a run prints on another host; called with whole lines."""

    def out(self, line: str) -> None: ...
    def err(self, line: str) -> None: ...


class Asking:
    """One command, from sending to its end."""

    def __init__(self, url: str, manager: str, mailbox: Mailbox, *, run_id: str) -> None:
        self._url = url
        self._manager = manager
        self._mailbox = mailbox
        self._run_id = run_id

    def send(self, make: Callable[[int], Command]) -> None:
        """Returns once the manager has accepted; raises NoManagerError when it does not answer within ANSWER_S.

        ``make`` gets the time at which the command expires, so that a manager that comes late leaves it alone.
        """
        self._mailbox.send(commands_queue(self._manager), make(self._mailbox.now_s() + int(ANSWER_S)))
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
        """Show all that the run prints; returns its exit code.  The first Ctrl-C stops the run in order."""
        with _on_interrupt(self._stop):
            while True:
                for reply in self._replies():
                    if reply.kind == "end":
                        return reply.exit_code
                    if reply.kind == "out":
                        show.out(reply.text)
                    elif reply.kind == "err":
                        show.err(reply.text)

    def _stop(self) -> None:
        self._mailbox.send(
            commands_queue(self._manager),
            Command(
                run_id=uuid.uuid4().hex,
                command=STOP,  # type: ignore[arg-type]
                options=(),
                words=(self._run_id,),
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
            if reply.run_id == self._run_id:
                yield reply


def ask(
    url: str,
    manager: str,
    command: str,
    *,
    options: tuple[str, ...],
    words: tuple[str, ...],
    json: bool,
    detached: bool,
    show: Show,
    on_accepted: Callable[[str], None],
) -> int:
    """Have the manager carry out a command; returns its exit code, 0 at once when ``detached``.

    ``on_accepted`` gets the run's id.  Raises NoManagerError, BrokerError, UsageError for what no manager may be asked.
    """
    run_id = uuid.uuid4().hex
    with Mailbox(url, f"master.{run_id}") as mailbox:
        asking = Asking(url, manager, mailbox, run_id=run_id)
        try:
            asking.send(
                lambda expires_s: Command(
                    run_id=run_id,
                    command=command,  # type: ignore[arg-type]
                    options=options,
                    words=words,
                    json=json,
                    detached=detached,
                    reply_to=mailbox.inbox,
                    expires_s=expires_s,
                )
            )
            on_accepted(run_id)
            return 0 if detached else asking.follow(show)
        finally:
            mailbox.remove_inbox()


@contextmanager
def _on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM calls ``act``, the second raises InterruptedRun."""
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise InterruptedRun("interrupted; the run may go on", hint="look with: segfleet status")
        asked = True
        act()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
