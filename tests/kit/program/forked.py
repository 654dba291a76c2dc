"""Commands as forks of one process that has imported the program: to import it takes as long as the rest of a command.

A command that starts in a special way, by variables of the interpreter or the C library, is executed instead, and so
are all that have :data:`EXECUTED` among their variables.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from kit.deadlines import DEADLINE_S
from kit.program import brake, template
from kit.repository import REPOSITORY

#: They matter while a process starts, or to the libraries that are loaded by then.
_OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "OPENSSL", "SSL_")

#: Settings of commands that must not be forked, because a test looks at their memory or their command line.
EXECUTED = {"SEGFLEET_TESTS_EXECUTE": "1"}

_PR_SET_CHILD_SUBREAPER = 36


class Forked:
    """A command; the part of :class:`subprocess.Popen` that its user needs."""

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
                    os.close(self._handle)
            return self.returncode

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            select.select([self._handle], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(["segfleet"], timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class _Template:
    """The process to fork from."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._lock = threading.Lock()
        self._link, end = socket.socketpair()
        self._link.settimeout(DEADLINE_S)
        with end:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", template.CODE, str(end.fileno()), str(REPOSITORY / "tests")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[end.fileno()],
                start_new_session=True,
            )

    def fork(self, call: Mapping[str, object], streams: Sequence[int]) -> int:
        """The process id of a new child of this process."""
        data = json.dumps(call).encode()
        with self._lock, _adopting():
            socket.send_fds(self._link, [template.LENGTH.pack(len(data))], list(streams))
            self._link.sendall(data)
            answer = self._link.recv(template.LENGTH.size, socket.MSG_WAITALL)
        assert answer, "the process that commands are forked from has ended; see its standard error"
        pid: int = template.LENGTH.unpack(answer)[0]
        return pid


@cache
def _template() -> _Template:
    return _Template()


def start(
    command: Sequence[str], arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path
) -> Forked | subprocess.Popen[bytes]:
    """Start ``command``, which is that of segfleet, with ``arguments``, in a session of its own."""
    if command[0] != sys.executable or _has_to_be_executed(environment):
        return subprocess.Popen(
            [*command, *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C at the terminal of the tests is not meant for it.
            start_new_session=True,
        )
    (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
    try:
        pid = fork(command, arguments, environment=environment, folder=folder, outputs=(stdout_end, stderr_end))
    finally:
        os.close(stdout_end)
        os.close(stderr_end)
    return Forked(pid, os.fdopen(stdout, "rb"), os.fdopen(stderr, "rb"))


def fork(
    command: Sequence[str],
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    outputs: tuple[int, int],
) -> int:
    """As :func:`start`, with standard output and error of the caller's; returns the process id of the new child."""
    call = {
        "command": list(command),
        "arguments": list(arguments),
        "environment": dict(environment),
        "folder": str(folder),
    }
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        return _template().fork(call, [nothing, *outputs])
    finally:
        os.close(nothing)


def _has_to_be_executed(environment: Mapping[str, str]) -> bool:
    if EXECUTED.items() <= os.environ.items() or EXECUTED.items() <= environment.items():
        return True
    # The process to fork from may have been started under others.
    if any(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        return True
    usual = _template().environment
    differing = {name for name in environment.keys() | usual.keys() if environment.get(name) != usual.get(name)}
    if brake.is_alone_in(environment):
        differing.discard("PYTHONPATH")
    return any(name.startswith(_OF_THE_START) for name in differing)


@contextmanager
def _adopting() -> Iterator[None]:
    """Orphaned descendants become children of this process meanwhile (prctl(2))."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)
