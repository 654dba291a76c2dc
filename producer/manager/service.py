"""The manager's loop: takes commands, watches children, sends replies and status."""

from __future__ import annotations

import logging
import platform
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import redis

from producer.host.behalf import MANAGER_VARIABLE, RUN_VARIABLE, terminal_variables
from producer.host.signals import ending_signals
from producer.manager.asks import RESUMABLE, RUNS, AskStop
from producer.manager.calls import spoken
from producer.manager.child import Child
from producer.manager.due import Due, due_command
from producer.manager.ledger import Ledger
from producer.manager.mailbox import Mailbox
from producer.manager.messages import Command, decode_command
from producer.manager.passing import Passing
from producer.manager.presence import PRESENCE_LIFE_S, Presence, RunStatus, claim, give_up, renew
from producer.manager.reports import Reports
from producer.manager.runs import Run, first_status, now
from producer.manager.unfinished import HowEnded, Unfinished
from tasks.bounded_json import dump_json
from tasks.broker.queues import command_queue
from tasks.errors import BrokerError, LockedError, MessageError, SegfleetError
from tasks.wire import encode

log = logging.getLogger("segfleet.manager")

_LOOK_EVERY_S = 0.1
#: While output is being passed on.
_LOOK_SOON_S = 0.01
_RENEW_EVERY_S = 1.0

#: More commands at a time are refused: each is a process.
_RUNS_COUNT = 16

#: After SIGTERM: runs stop in order within some ten seconds.
_STOP_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """One manager: its name and its means."""

    presence: Presence
    broker_url: str
    ledger: Path
    #: ``--config FILE``, for the children.
    configuration: tuple[str, ...]


class Manager:
    """Runs until SIGTERM or SIGINT.  Main thread only: children die with the thread that made them."""

    def __init__(
        self,
        identity: Identity,
        *,
        note: Callable[[str], None],
        volumes: Callable[[], tuple[str, ...]],
        is_due: Callable[[], bool] = lambda: False,
        how_ended: HowEnded = lambda run_id: None,
    ) -> None:
        """``volumes`` returns the manager's volumes; ``is_due`` says whether a reservation is due."""
        self._identity = identity
        self._presence = identity.presence
        self._volumes = volumes
        self._note = note
        self._due = Due(is_due, note)
        self._ledger = Ledger(identity.ledger)
        self._mailbox = Mailbox(identity.broker_url, command_queue(identity.presence.name))
        self._reports = Reports(self._mailbox, on_end_reported=self._forget)
        self._unfinished = Unfinished(identity.presence.name, self._ledger, self._reports, how_ended, note)
        self._runs: dict[str, Run | Passing] = {}
        self._next_renew_s = 0.0
        self._stopping = False
        self._is_displaced = False

    def run(self) -> None:
        """Raises LockedError while another manager of this name lives, or when one has taken over; BrokerError."""
        with self._mailbox:
            self._claim()
            previous = {number: signal.signal(number, self._on_signal) for number in ending_signals()}
            try:
                self._resume()
                while not self._stopping:
                    self._turn()
                self._stop_in_order()
            finally:
                for run in self._runs.values():
                    run.kill()
                for number, handler in previous.items():
                    signal.signal(number, handler)
                self._leave()
        if self._is_displaced:
            raise LockedError(
                f"another manager named {self._identity.presence.name} has taken over while this one was silent",
                hint="segfleet status shows where it runs; give each manager its own name",
            )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self) -> None:
        is_passing = any(isinstance(run, Passing) for run in self._runs.values())
        for wire in self._mailbox.receive(_LOOK_SOON_S if is_passing else _LOOK_EVERY_S):
            self._take(wire)
        for run_id, run in list(self._runs.items()):
            code = run.look()
            if code is not None:
                self._finish(run_id, code)
        self._renew()
        self._start_due()

    # ---- commands

    def _take(self, wire: object) -> None:
        try:
            command = decode_command(wire)
        except MessageError as error:
            # There is no trustworthy address to answer to.
            log.warning("refused a command: %s", error)
            return
        refusal = self._refusal(command)
        if refusal:
            self._reports.reply(command.reply_to, command.reply("refused", refusal))
        elif isinstance(command.ask, AskStop):
            self._runs[command.ask.run_id].stop()
            self._reports.reply(command.reply_to, command.reply("accepted"))
        elif self._is_new(command):
            self._reports.reply(command.reply_to, command.reply("accepted"))
            self._try_to_start(command)

    def _is_new(self, command: Command) -> bool:
        """Whether it was written to the ledger just now; refuses it if that fails."""
        try:
            return self._ledger.add(command)
        except OSError as error:
            text = f"the manager cannot write to its state folder: {error.strerror}"
            self._reports.reply(command.reply_to, command.reply("refused", text))
            return False

    def _refusal(self, command: Command) -> str:
        """Why the command is refused, "" if it is not."""
        try:
            if self._mailbox.now_s() >= command.expires_s:
                return "the command has expired: the manager was away too long"
        except BrokerError as error:
            return error.message
        if isinstance(command.ask, AskStop):
            return "" if command.ask.run_id in self._runs else "there is no such run"
        if len(self._runs) >= _RUNS_COUNT:
            return f"{len(self._runs)} commands are running already"
        return ""

    def _try_to_start(self, command: Command) -> None:
        """A command that cannot start affects no other, and is not tried again at the next start."""
        try:
            self._start(command)
        except (OSError, ValueError) as error:
            self._ledger.set_aside(command.run_id, str(error))
            if command.command in RUNS:
                status = first_status(command, self._presence.name)
                self._reports.run(replace(status, state="failed", ended=now(), exit_code=1, reason=str(error)))
            self._reports.reply(
                command.reply_to, command.reply("err", f"segfleet: the manager cannot start this: {error}")
            )
            self._reports.reply(command.reply_to, command.reply("end", exit_code=1))

    def _start(self, command: Command) -> None:
        child = Child(
            self._identity.configuration,
            asked=dump_json(encode(command)),
            variables={
                MANAGER_VARIABLE: self._identity.presence.name,
                RUN_VARIABLE: command.run_id,
                **terminal_variables(command.columns),
            },
        )
        if command.command in RUNS:
            self._note(f"run {command.run_id[:8]}: {command.command} {' '.join(spoken(command))}")
            self._runs[command.run_id] = Run(
                command, child, manager=self._identity.presence.name, reply=self._reports.reply, tell=self._reports.run
            )
        else:
            self._runs[command.run_id] = Passing(
                command, child, send=self._mailbox.send, waiting_count=self._mailbox.waiting_count
            )

    def _finish(self, run_id: str, code: int) -> None:
        run = self._runs.pop(run_id)
        if isinstance(run, Passing):
            self._ledger.remove(run_id)
        if isinstance(run, Run) and run.is_told:
            self._note(f"run {run_id[:8]} has ended: exit code {code}")
        self._due.ended(run_id, has_run=isinstance(run, Run) and run.has_begun)
        self._look_at_volumes()

    def _look_at_volumes(self) -> None:
        """A backup or a reservation may have added a volume."""
        try:
            self._presence = replace(self._presence, volumes=self._volumes())
        except SegfleetError as error:
            log.warning("%s", error)

    def _resume(self) -> None:
        """Resume the backups that were unfinished when this manager ended; report all other commands as ended."""
        for command in self._unfinished.to_resume():
            self._note(f"resuming run {command.run_id[:8]}")
            self._try_to_start(command)
        self._reports.attempt(lambda: self._unfinished.end_forgotten(self._mailbox, frozenset(self._runs)))

    def _forget(self, status: RunStatus) -> None:
        """The broker has the end of a run; one that this manager's next start resumes stays in the ledger."""
        if not (self._stopping and status.state == "interrupted" and status.command in RESUMABLE):
            self._ledger.remove(status.run_id)

    def _stop_in_order(self) -> None:
        """Stop runs as after Ctrl-C; their files stay in the ledger, so that the next start resumes them."""
        for run in self._runs.values():
            run.pause()
        deadline = time.monotonic() + _STOP_S
        while self._runs and time.monotonic() < deadline:
            for run_id, run in list(self._runs.items()):
                code = run.look()
                if code is not None:
                    del self._runs[run_id]
                    if isinstance(run, Passing):
                        self._ledger.remove(run_id)
            # Keep the name until all of them have ended.
            self._renew()
            time.sleep(_LOOK_EVERY_S)

    # ---- the schedule

    def _start_due(self) -> None:
        """Let a child run what is due; it claims one reservation after another, like the children of other managers."""
        if not self._due.wants_child():
            return
        command = due_command()
        self._due.started(command.run_id)
        self._runs[command.run_id] = Run(
            command,
            Child(
                [*self._identity.configuration, "schedule", "run-due", "--json"],
                variables={MANAGER_VARIABLE: self._identity.presence.name},
            ),
            manager=self._identity.presence.name,
            reply=self._reports.reply,
            tell=self._reports.run,
            is_told=False,
        )

    # ---- the broker

    def _claim(self) -> None:
        deadline = time.monotonic() + PRESENCE_LIFE_S + 1
        try:
            # A killed manager of this name disappears from the broker within seconds.
            while not claim(self._mailbox.redis, self._presence):
                if time.monotonic() > deadline:
                    raise LockedError(f"manager {self._identity.presence.name} is running already")
                time.sleep(_LOOK_EVERY_S)
        except redis.RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def _renew(self) -> None:
        if time.monotonic() >= self._next_renew_s:
            self._next_renew_s = time.monotonic() + _RENEW_EVERY_S
            self._reports.attempt(self._renew_now)
            self._reports.repeat()

    def _renew_now(self) -> None:
        if not renew(self._mailbox.redis, self._presence):
            self._is_displaced = self._stopping = True

    def _leave(self) -> None:
        self._reports.attempt(lambda: give_up(self._mailbox.redis, self._presence))


def presence_of(name: str, volumes: tuple[str, ...], *, pid: int, release: str, wire: int) -> Presence:
    return Presence(name=name, host=platform.node(), pid=pid, release=release, wire=wire, volumes=volumes, since=now())
