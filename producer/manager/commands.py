"""The commands that come to a manager: which are taken, and how they are started."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from producer.host.behalf import MANAGER_VARIABLE, RUN_VARIABLE, terminal_variables
from producer.manager.child import Child
from producer.manager.due import due_command
from producer.manager.ledger import Ledger
from producer.manager.mailbox import Mailbox
from producer.manager.passing import Passing
from producer.manager.presence import Presence
from producer.manager.protocol.asks.managing import AskStop
from producer.manager.protocol.asks.table import RUNS
from producer.manager.protocol.calls import spoken
from producer.manager.protocol.messages import Command, decode_command
from producer.manager.reports import Reports
from producer.manager.runs import Run, first_status, now
from tasks.bounded_json import dump_json
from tasks.errors import BrokerError, MessageError
from tasks.wire import encode

log = logging.getLogger("segfleet.manager")

#: More commands at a time are refused: each is a process.
_RUNS_COUNT = 16


class Identity(Struct, frozen=True, kw_only=True):
    """One manager: its name and its means."""

    presence: Presence
    broker_url: str
    ledger: Path
    #: ``--config FILE``, for the children.
    configuration: tuple[str, ...]


class Commands:
    """Takes commands, and keeps those that run in ``runs``."""

    def __init__(
        self, identity: Identity, mailbox: Mailbox, ledger: Ledger, reports: Reports, note: Callable[[str], None]
    ) -> None:
        self.runs: dict[str, Run | Passing] = {}
        self._identity = identity
        self._name = identity.presence.name
        self._mailbox = mailbox
        self._ledger = ledger
        self._reports = reports
        self._note = note

    def take(self, wire: object) -> None:
        """Answer one message, and start what it asks for."""
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
            self.runs[command.ask.run_id].stop()
            self._reports.reply(command.reply_to, command.reply("accepted"))
        elif self._is_new(command):
            self._reports.reply(command.reply_to, command.reply("accepted"))
            self.start(command)

    def start(self, command: Command) -> None:
        """Start a command of the ledger; one that cannot start has failed, and is not tried again."""
        try:
            self._start(command)
        except Exception as error:
            log.warning("cannot start %s", command.command, exc_info=True)
            self.fail(command, f"the manager cannot start this: {error}")

    def fail(self, command: Command, why: str) -> None:
        """End a command that cannot be carried out, for anyone who waits for it."""
        self._ledger.set_aside(command.run_id, why)
        if command.command in RUNS:
            status = first_status(command, self._name)
            self._reports.run(replace(status, state="failed", ended=now(), exit_code=1, reason=why))
        if not command.detached:
            self._reports.reply(command.reply_to, command.reply("err", f"segfleet: {why}"))
            self._reports.reply(command.reply_to, command.reply("end", exit_code=1))

    def start_due(self) -> str:
        """Start a child for the schedule; returns the id of its run.  Raises OSError."""
        command = due_command()
        child = Child(
            [*self._identity.configuration, "schedule", "run-due", "--json"], variables={MANAGER_VARIABLE: self._name}
        )
        self.runs[command.run_id] = self._run(command, child, is_told=False)
        return command.run_id

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
            return "" if command.ask.run_id in self.runs else "there is no such run"
        if len(self.runs) >= _RUNS_COUNT:
            return f"{len(self.runs)} commands are running already"
        return ""

    def _start(self, command: Command) -> None:
        child = Child(
            self._identity.configuration,
            asked=dump_json(encode(command)),
            variables=variables_of(command, self._name),
        )
        if command.command in RUNS:
            self._note(f"run {command.run_id[:8]}: {command.command} {' '.join(spoken(command))}")
            self.runs[command.run_id] = self._run(command, child)
        else:
            self.runs[command.run_id] = Passing(
                command, child, send=self._mailbox.send, waiting_count=self._mailbox.waiting_count
            )

    def _run(self, command: Command, child: Child, *, is_told: bool = True) -> Run:
        return Run(
            command, child, manager=self._name, reply=self._reports.reply, tell=self._reports.run, is_told=is_told
        )


def variables_of(command: Command, manager: str) -> dict[str, str]:
    """Environment variables of its child.  A command that may begin several runs has them take ids of their own."""
    run = {RUN_VARIABLE: command.run_id} if command.command in RUNS else {}
    return {MANAGER_VARIABLE: manager, **run, **terminal_variables(command.columns)}
