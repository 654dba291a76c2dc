"""What a manager finds at its start: commands and runs that were unfinished when it ended.

A run that the catalog has as ended has ended, whatever its manager was doing then.  A backup that has not is resumed;
every other command is reported as interrupted.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from producer.manager.ledger import Ledger
from producer.manager.mailbox import Mailbox
from producer.manager.presence import RunStatus, runs
from producer.manager.protocol.asks.table import RESUMABLE, RUNS
from producer.manager.protocol.messages import Command
from producer.manager.reports import Reports
from producer.manager.runs import first_status, now, state_after
from tasks.errors import InterruptedRun, SegfleetError

RESTARTED = "the manager restarted"

#: The exit code of a run that the catalog has as ended; None for all others.
HowEnded = Callable[[str], int | None]


class Unfinished:
    """``how_ended`` reads the catalog and may raise CatalogError; ``note`` gets what a person should know."""

    def __init__(
        self, manager: str, ledger: Ledger, reports: Reports, how_ended: HowEnded, note: Callable[[str], None]
    ) -> None:
        self._manager = manager
        self._ledger = ledger
        self._reports = reports
        self._how_ended = how_ended
        self._note = note

    def to_resume(self) -> list[Command]:
        """The backups to resume; masters get the end of all other commands."""
        return [command for command in self._ledger.commands() if not self._is_over(command)]

    def end_forgotten(self, mailbox: Mailbox, resumed: frozenset[str]) -> None:
        """Report the end of runs that the broker has as running here, though they are not; raises redis.RedisError."""
        for status in runs(mailbox.redis):
            if status.manager == self._manager and status.state == "running" and status.run_id not in resumed:
                self._end(status)

    def _is_over(self, command: Command) -> bool:
        code = self._code(command.run_id)
        if code is None and command.command in RESUMABLE:
            return False
        if command.command in RUNS:
            # The command stays in the ledger until the broker has its end.
            self._end(first_status(command, self._manager))
        else:
            self._ledger.remove(command.run_id)
        if code is None:
            text = f"segfleet: {RESTARTED}; run the command again"
            self._reports.reply(command.reply_to, command.reply("err", text))
        end = command.reply("end", exit_code=InterruptedRun.exit_code if code is None else code)
        self._reports.reply(command.reply_to, end)
        return True

    def _end(self, status: RunStatus) -> None:
        code = self._code(status.run_id)
        reason = RESTARTED if code is None else status.reason
        code = InterruptedRun.exit_code if code is None else code
        self._reports.run(replace(status, state=state_after(code), ended=now(), exit_code=code, reason=reason))

    def _code(self, run_id: str) -> int | None:
        try:
            code = self._how_ended(run_id)
        except SegfleetError as error:
            self._note(f"cannot look up run {run_id[:8]}: {error.message}")
            return None
        return None if code == InterruptedRun.exit_code else code
