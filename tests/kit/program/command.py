"""One call of the command ``segfleet`` in a process of its own: while it runs, and when it has ended."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kit.deadlines import DEADLINE_S, eventually
from kit.program.as_user import as_user
from kit.program.forking.forked import start

#: As the console script does it, by whichever interpreter runs the tests.
SEGFLEET = (sys.executable, "-P", "-c", "from producer.cli.start import main; main()")

#: The program and arguments that start commands in another way than as they are.
PREFIX: tuple[str, ...] = ()

#: A backup of the largest tree of the tests that are not slow takes 10 s.
_END_S = 120.0

Row = dict[str, Any]


def make_shim(folder: Path) -> Path:
    """Make a ``segfleet`` for scripts in the new ``folder``, and return its path."""
    folder.mkdir()
    shim = folder / "segfleet"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(SEGFLEET)} "$@"\n')
    shim.chmod(0o755)
    return shim


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """A call that has ended."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def rows(self) -> list[Row]:
        """The lines of standard output as JSON objects; fails the test where one is none."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def rows_of(self, message_type: str) -> list[Row]:
        return [row for row in self.rows if row["message_type"] == message_type]

    @property
    def summary(self) -> Row:
        last = self.rows[-1]
        assert last["message_type"] == "summary", self
        return last

    @property
    def errors(self) -> list[Row]:
        return self.rows_of("error")


class Running:
    """A call under way.  Ends when told to, at the latest with :meth:`end`."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, user: int | None = None
    ) -> None:
        """``user``: who runs it; None: who runs the tests."""
        self._stdout: list[bytes] = []
        self._rows: list[Row] = []
        self._stderr: list[bytes] = []
        prefix = PREFIX if user is None else as_user(user)
        self._process = start([*prefix, *SEGFLEET], arguments, environment=environment, folder=folder)
        self._readers = [
            threading.Thread(target=_read_lines, args=(stream, lines), daemon=True)
            for stream, lines in ((self._process.stdout, self._stdout), (self._process.stderr, self._stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def rows(self) -> list[Row]:
        """What it has printed so far."""
        self._rows.extend(json.loads(line) for line in self._stdout[len(self._rows) :])
        return self._rows[:]

    @property
    def stderr(self) -> str:
        """What it has said so far."""
        return b"".join(self._stderr[:]).decode(errors="surrogateescape")

    def wait_for_row(self, wanted: Callable[[Row], Any], what: str) -> Row:
        """The first line of JSON that is ``wanted``; fails the test when the command ends without it."""

        def look() -> Row | None:
            ended = self._process.poll() is not None
            if ended:
                self._read_to_the_end()
            found = next(filter(wanted, self.rows), None)
            assert found or not ended, f"ended with {self._process.returncode} before {what}: {self._said()}"
            return found

        found = eventually(look, what)
        assert found is not None
        return found

    def wait_until_storing(self) -> Row:
        """Returns once the walk and the plan are done, and the first bytes are under way."""
        return self.wait_for_row(lambda row: row.get("phase") == "storing", "the first bytes are under way")

    def worker_pids(self) -> dict[str, int]:
        """Device → its worker's main process, as told so far."""
        return {row["device"]: row["pid"] for row in self.rows if row["message_type"] == "worker"}

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, *, deadline_s: float = _END_S) -> Done:
        try:
            exit_code = self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"still running after {deadline_s:.0f} s: {self._said()}") from None
        self._read_to_the_end()
        return Done(exit_code=exit_code, stdout=b"".join(self._stdout), stderr=self.stderr)

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        self._read_to_the_end()

    def _read_to_the_end(self) -> None:
        for reader in self._readers:
            reader.join(DEADLINE_S)

    def _said(self) -> str:
        return b"".join([*self._stdout[-5:], *self._stderr[-20:]]).decode(errors="replace")


def _read_lines(stream: IO[bytes] | None, lines: list[bytes]) -> None:
    assert stream is not None
    with stream:
        lines.extend(stream)
