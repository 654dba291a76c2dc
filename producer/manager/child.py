"""One command of a manager, as a child process of the same program."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from tasks.errors import InterruptedRun

_READ_BYTES = 1024 * 1024

#: One look reads no more than this often, whatever the child prints: the manager has others.
_READS_COUNT = 16

_KILLED_S = 5.0


class Child:
    """Starts the process at once.  Its output is read without waiting.

    ``asked`` is a command of a master, as JSON: the child makes its call of it (:mod:`producer.cli.on_behalf`).  It
    goes by standard input, because arguments have a limit of 128 KiB each and every user of the host can read them.
    Raises OSError when no process can be started.
    """

    def __init__(self, arguments: Sequence[str], *, variables: Mapping[str, str], asked: bytes = b"") -> None:
        with _readable(asked) as stdin:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "producer.cli.on_behalf", str(os.getpid()), *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **variables},
                # Ctrl-C at the manager's terminal is for the manager, which ends its runs in order.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = _Output(self._process.stdout), _Output(self._process.stderr)

    def lines(self) -> list[tuple[str, str]]:
        """("out" or "err", line) for each new line of output since the last call."""
        return [("out", line) for line in self._out.lines()] + [("err", line) for line in self.errors()]

    def errors(self) -> list[str]:
        """New lines of its standard error since the last call."""
        return self._err.lines()

    def data(self, limit_bytes: int, wait_s: float) -> bytes:
        """The next bytes of its standard output, in place of lines; none when none come for ``wait_s``.

        What is not read stays in the pipe, and then the child waits.
        """
        return self._out.data(limit_bytes, wait_s)

    def exit_code(self) -> int | None:
        """None while it runs, or while something that it printed has not been read."""
        code = self._process.poll() if self._out.at_end and self._err.at_end else None
        # Only while it starts do these signals end it like this; later it handles them.
        return InterruptedRun.exit_code if code in (-signal.SIGINT, -signal.SIGTERM) else code

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        # One that the kernel holds, in a mount that does not answer, ends later or never.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED_S)


def _readable(data: bytes) -> IO[bytes]:
    """A file in memory that holds ``data`` and stands at its beginning; nobody waits for its reader."""
    file = os.fdopen(os.memfd_create("segfleet-asked"), "r+b")
    file.write(data)
    file.flush()
    file.seek(0)
    return file


class _Output:
    """One pipe from the child: whole lines without waiting for more, or bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._rest = b""
        self.at_end = False
        os.set_blocking(pipe.fileno(), False)

    def data(self, limit_bytes: int, wait_s: float) -> bytes:
        data = b""
        while not self.at_end and len(data) < limit_bytes and select.select([self._pipe], [], [], wait_s)[0]:
            more = os.read(self._pipe.fileno(), limit_bytes - len(data))
            self.at_end = not more
            data += more
        return data

    def lines(self) -> list[str]:
        for _ in range(_READS_COUNT):
            try:
                data = os.read(self._pipe.fileno(), _READ_BYTES)
            except BlockingIOError:
                break
            self._rest += data
            if not data:
                self.at_end = True
                break
        *lines, self._rest = self._rest.split(b"\n")
        if self.at_end and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode("utf-8", "backslashreplace") for line in lines]
