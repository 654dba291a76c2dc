"""The manager's loop: takes commands, watches children, sends replies and status."""

from __future__ import annotations

import logging
import platform
import signal
import time
from collections.abc import Callable
from types import FrameType

import redis
from msgspec.structs import replace

from producer.host.signals import ending_signals
from producer.host.supervisor import Supervisor
from producer.manager.commands import Commands, Identity
from producer.manager.due import Due
from producer.manager.ledger import Ledger
from producer.manager.mailbox import Mailbox
from producer.manager.passing import Passing
from producer.manager.presence import PRESENCE_LIFE_S, Presence, RunStatus, claim, give_up, renew
from producer.manager.protocol.asks.table import RESUMABLE
from producer.manager.reports import Reports
from producer.manager.runs import Run, now
from producer.manager.steps import Steps
from producer.manager.unfinished import HowEnded, Unfinished
from producer.manager.watchdog import Watchdog
from tasks.broker.queues import command_queue
from tasks.errors import BrokerError, LockedError, SegfleetError

log = logging.getLogger("segfleet.manager")

_LOOK_EVERY_S = 0.1
#: While output is being passed on.
_LOOK_SOON_S = 0.01
_RENEW_EVERY_S = 1.0

#: After SIGTERM: runs stop in order within some ten seconds.
_STOP_S = 30.0

#: For one step of the loop.  All waits of its own are shorter, but a database may take its time.
STAND_STILL_S = 120.0


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
        stand_still_s: float = STAND_STILL_S,
    ) -> None:
        """``volumes`` returns the manager's volumes; ``is_due`` says whether a reservation is due."""
        self._presence = identity.presence
        self._volumes = volumes
        self._note = note
        self._due = Due(is_due, note)
        self._ledger = Ledger(identity.ledger)
        self._mailbox = Mailbox(identity.broker_url, command_queue(identity.presence.name))
        self._reports = Reports(self._mailbox, on_end_reported=self._forget)
        self._commands = Commands(identity, self._mailbox, self._ledger, self._reports, note)
        self._unfinished = Unfinished(identity.presence.name, self._ledger, self._reports, how_ended, note)
        self._watchdog = Watchdog(stand_still_s)
        self._supervisor = Supervisor()
        self._steps = Steps(before=self._watchdog.turn, note=note)
        self._next_renew_s = 0.0
        self._stopping = False
        self._is_displaced = False

    @property
    def _runs(self) -> dict[str, Run | Passing]:
        return self._commands.runs

    def run(self) -> None:
        """Raises LockedError while another manager of this name lives, or when one has taken over; BrokerError."""
        with self._mailbox:
            self._claim()
            previous = {number: signal.signal(number, self._on_signal) for number in ending_signals()}
            try:
                with self._watchdog:
                    self._supervisor.ready()
                    self._steps.take(self._resume)
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
                f"another manager named {self._presence.name} has taken over while this one was silent",
                hint="segfleet status shows where it runs; give each manager its own name",
            )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self) -> None:
        self._steps.take(self._receive)
        for run_id in list(self._runs):
            self._look_at(run_id)
        self._steps.take(self._renew)
        self._steps.take(self._start_due)
        self._supervisor.alive(self._in_words())

    def _in_words(self) -> str:
        """What it does now, for its supervisor; names in it would have to be escaped."""
        commands = sorted(run.command.command for run in self._runs.values())
        return f"running: {', '.join(commands)}" if commands else "waiting for commands and schedules"

    def _receive(self) -> None:
        is_passing = any(isinstance(run, Passing) for run in self._runs.values())
        for wire in self._mailbox.receive(_LOOK_SOON_S if is_passing else _LOOK_EVERY_S):
            self._steps.take(lambda wire=wire: self._commands.take(wire))  # type: ignore[misc]

    # ---- runs

    def _look_at(self, run_id: str) -> None:
        trouble = self._steps.take(lambda: self._finish_if_ended(run_id))
        run = self._runs.pop(run_id, None) if trouble else None
        if run is not None:
            # Nobody could report what it does from now on.
            self._steps.take(run.kill)
            self._steps.take(lambda: self._commands.fail(run.command, trouble))
            self._due.ended(run_id, has_run=False)

    def _finish_if_ended(self, run_id: str) -> None:
        code = self._runs[run_id].look()
        if code is None:
            return
        run = self._runs.pop(run_id)
        has_run = isinstance(run, Run) and run.has_begun
        self._due.ended(run_id, has_run=has_run)
        if isinstance(run, Passing):
            self._ledger.remove(run_id)
        elif isinstance(run, Run) and run.is_told:
            self._note(f"run {run_id[:8]} has ended: exit code {code}")
        self._look_at_volumes()

    def _look_at_volumes(self) -> None:
        """A backup or a reservation may have added a volume."""
        try:
            self._presence = replace(self._presence, volumes=self._volumes())
        except SegfleetError as error:
            log.warning("%s", error)

    def _start_due(self) -> None:
        """Let a child run what is due; it claims one reservation after another, like the children of other managers."""
        if self._due.wants_child():
            self._due.started(self._commands.start_due())

    # ---- start and end

    def _resume(self) -> None:
        """Resume the backups that were unfinished when this manager ended; report all other commands as ended."""
        for command in self._unfinished.to_resume():
            self._note(f"resuming run {command.run_id[:8]}")
            self._commands.start(command)
        self._reports.attempt(lambda: self._unfinished.end_forgotten(self._mailbox, frozenset(self._runs)))

    def _forget(self, status: RunStatus) -> None:
        """The broker has the end of a run; one that this manager's next start resumes stays in the ledger."""
        if not (self._stopping and status.state == "interrupted" and status.command in RESUMABLE):
            self._ledger.remove(status.run_id)

    def _stop_in_order(self) -> None:
        """Stop runs as after Ctrl-C; their files stay in the ledger, so that the next start resumes them."""
        self._supervisor.stopping(f"stopping {len(self._runs)} runs cleanly")
        for run in self._runs.values():
            self._steps.take(run.pause)
        deadline = time.monotonic() + _STOP_S
        while self._runs and time.monotonic() < deadline:
            for run_id in list(self._runs):
                self._look_at(run_id)
            # Keep the name until all of them have ended.
            self._steps.take(self._renew)
            time.sleep(_LOOK_EVERY_S)

    # ---- the broker

    def _claim(self) -> None:
        deadline = time.monotonic() + PRESENCE_LIFE_S + 1
        try:
            # A killed manager of this name disappears from the broker within seconds.
            while not claim(self._mailbox.redis, self._presence):
                if time.monotonic() > deadline:
                    raise LockedError(f"manager {self._presence.name} is running already")
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
