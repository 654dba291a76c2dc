"""A process that forks others when it is asked to, as its user sees it, and what it has forked."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from kit.deadlines import DEADLINE_S

#: The length of the JSON that follows; comes with standard input, output and error.
LENGTH = struct.Struct("<Q")
STREAMS_COUNT = 3

#: Variables that matter while a process starts, or to the libraries that are loaded by then.
OF_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "OPENSSL", "SSL_")

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

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Link:
    """The way to the process to fork from, which ends when the link does."""

    def __init__(self, link: socket.socket) -> None:
        self._lock = threading.Lock()
        self._link = link
        self._link.settimeout(DEADLINE_S)

    def fork(self, call: Mapping[str, object], streams: Sequence[int]) -> int:
        """The process id of a new child of this process."""
        data = json.dumps(call).encode()
        with self._lock, _adopting():
            socket.send_fds(self._link, [LENGTH.pack(len(data))], list(streams))
            self._link.sendall(data)
            answer = self._link.recv(LENGTH.size, socket.MSG_WAITALL)
        assert answer, "the process that commands are forked from has ended; see its standard error"
        pid: int = LENGTH.unpack(answer)[0]
        return pid


def differing(environment: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The names of the variables that are not the same in both."""
    return {name for name in environment.keys() | other.keys() if environment.get(name) != other.get(name)}


@contextmanager
def _adopting() -> Iterator[None]:
    """Orphaned descendants become children of this process meanwhile (prctl(2))."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)
