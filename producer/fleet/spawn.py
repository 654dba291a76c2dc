"""Starts the processes of local workers.

Workers read their settings from standard input, and not before they have imported their program.  So they can be
started before anything else: they import while the run starts the broker.  A run's first workers are forked by one
process, which imports the program for all of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from producer.fleet.forked import ForkedWorkers, may_fork

#: -P: never import modules from the current folder.
_COMMAND = (sys.executable, "-P", "-m", "workers")

_PR_SET_CHILD_SUBREAPER = 36

_LOOK_EVERY_S = 0.005


class WorkerProcess(Protocol):
    """The part of :class:`subprocess.Popen` that a fleet needs."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def send_signal(self, sig: int) -> None: ...


class _ForkingProcess(Protocol):
    returncode: int | None

    def communicate(self, settings: bytes, /) -> tuple[bytes, bytes | None]: ...


class AdoptedWorker:
    """A worker that another process forked, and that became a child of this one when that process ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the worker runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline_s = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline_s:
                raise subprocess.TimeoutExpired(["workers"], timeout)
            time.sleep(_LOOK_EVERY_S)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


class FirstWorkers:
    """A process that imports the workers' program, waits for settings, and forks a worker for each of ``devices``.

    Main thread only: the process, and later the workers, die with the thread that started them.
    """

    def __init__(self, devices: Sequence[str], log_dir: Path) -> None:
        self._devices = devices
        self._log_dir = log_dir
        self._process: _ForkingProcess | None = None

    def begin(self) -> None:
        """Have it import what is still missing while others do something else.

        Call it when the modules of a run are imported, and before the first thread: then it is a fork of this process.
        """
        self._log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for device in self._devices:
            scratch_of(device, self._log_dir).mkdir(mode=0o700, exist_ok=True)
        command = [*_COMMAND, *self._devices, "--fork", str(self._log_dir), "--parent-pid", str(os.getpid())]
        with (self._log_dir / "workers.log").open("wb") as log:
            self._process = _start_forking(command, log)

    def start(self, settings: bytes) -> dict[str, WorkerProcess]:
        """Fork the workers; returns them by device, none if their process failed (see its log).  Call once."""
        if self._process is None:
            self.begin()
        assert self._process is not None
        _become_subreaper(True)
        try:
            # On standard input: arguments and environment would show the broker's password to others.
            pids, _ = self._process.communicate(settings)
        finally:
            _become_subreaper(False)
        if self._process.returncode:
            return {}
        return {device: AdoptedWorker(pid) for device, pid in json.loads(pids).items()}


def _start_forking(command: list[str], log: IO[bytes]) -> _ForkingProcess:
    if may_fork():
        return ForkedWorkers(command, log)
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True)


def spawn_worker(device: str, log_dir: Path, settings: bytes) -> WorkerProcess:
    """Start one worker; its output is appended to its log."""
    scratch = scratch_of(device, log_dir)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log_of(device, log_dir).open("ab") as log:
        worker = subprocess.Popen(
            [*_COMMAND, device, "--parent-pid", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Celery's pool makes a temporary folder, which a killed worker cannot remove.
            env={**os.environ, "TMPDIR": str(scratch)},
            # A new session: Ctrl-C at the terminal reaches only the run, which stops its workers in order.
            start_new_session=True,
        )
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError), worker.stdin:  # a worker that has already ended shows in its poll()
        worker.stdin.write(settings)
    return worker


def log_of(device: str, log_dir: Path) -> Path:
    return log_dir / f"worker-{device}.log"


def scratch_of(device: str, log_dir: Path) -> Path:
    return log_dir / f"worker-{device}.tmp"


def _become_subreaper(on: bool) -> None:
    """Choose whether orphaned descendants become children of this process (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on))
