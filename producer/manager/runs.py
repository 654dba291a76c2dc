"""One run of a manager: its child, its replies to the master, and its status in the broker."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from producer.manager.child import Child
from producer.manager.presence import RunState, RunStatus
from producer.manager.protocol.calls import spoken
from producer.manager.protocol.messages import Command, Reply
from tasks.errors import InterruptedRun

#: One status line per second is enough to watch a run.
_TELL_EVERY_S = 1.0


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def state_after(exit_code: int) -> RunState:
    """The state of a run that ended like this."""
    return "done" if exit_code in (0, 3) else "interrupted" if exit_code == InterruptedRun.exit_code else "failed"


def first_status(command: Command, manager: str) -> RunStatus:
    """What is known about a run before anything has happened."""
    return RunStatus(
        run_id=command.run_id,
        manager=manager,
        command=command.command,
        words=spoken(command)[:20],
        state="running",
        started=now(),
    )


class Run:
    """Call :meth:`look` often; ``reply`` and ``tell`` report what happened, and may fail without harm.

    If ``is_told`` is False, the run is reported only once it has begun or failed.
    """

    def __init__(
        self,
        command: Command,
        child: Child,
        *,
        manager: str,
        reply: Callable[[str, Reply], None],
        tell: Callable[[RunStatus], None],
        is_told: bool = True,
    ) -> None:
        self.command = command
        self.is_told = is_told
        self._child = child
        self._reply = reply
        self._tell = tell
        self._next_tell_s = 0.0
        self._pausing = False
        self._status = first_status(command, manager)

    @property
    def has_begun(self) -> bool:
        """Whether it has its locks and workers, and makes progress."""
        return bool(self._status.progress)

    def look(self) -> int | None:
        """Pass on the child's output; returns its exit code once it has ended."""
        for kind, line in self._child.lines():
            self._note(kind, line)
            self._send(self.command.reply("out" if kind == "out" else "err", line))
        code = self._child.exit_code()
        if code is None:
            if time.monotonic() >= self._next_tell_s:
                self._tell_now()
            return None
        self._end(code)
        return code

    def stop(self) -> None:
        """Stop in order, for good: the workers' current orders are finished and recorded."""
        self._child.signal(signal.SIGINT)

    def pause(self) -> None:
        """Like :meth:`stop`, for a manager that ends: its next start resumes the run, and the master waits."""
        self._pausing = True
        self._child.signal(signal.SIGTERM)

    def kill(self) -> None:
        self._child.end()

    def _note(self, kind: str, line: str) -> None:
        row = _row(line) if kind == "out" else {}
        match row.get("message_type"):
            case "status":
                self._status = replace(self._status, progress=row)
                self.is_told = True
            case "summary":
                # The last summary of a scheduled child covers all its backups, and names no snapshot; nor does that of
                # a backup that found nothing new.
                self._status = replace(
                    self._status, snapshot_id=str(row.get("snapshot_id") or self._status.snapshot_id)
                )
            case "error":
                self._status = replace(self._status, reason=str(row.get("message", "")))

    def _end(self, code: int) -> None:
        state = state_after(code)
        reason = self._status.reason if code else ""
        self.is_told |= state == "failed"
        self._status = replace(self._status, state=state, ended=now(), exit_code=code, reason=reason)
        self._tell_now()
        if self._pausing and code == InterruptedRun.exit_code:
            text = "segfleet: the manager has stopped; it resumes this run when it starts again"
            self._send(self.command.reply("err", text))
        else:
            self._send(self.command.reply("end", exit_code=code))

    def _tell_now(self) -> None:
        if self.is_told:
            self._next_tell_s = time.monotonic() + _TELL_EVERY_S
            self._tell(self._status)

    def _send(self, reply: Reply) -> None:
        if not self.command.detached:
            self._reply(self.command.reply_to, reply)


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
