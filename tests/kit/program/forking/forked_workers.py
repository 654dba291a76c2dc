"""In a forked command: its workers as forks of it, in place of a process that imports their program once more.

Only what starts them is another; what they run is ``python -m workers`` all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

import producer.fleet.agent
import producer.fleet.spawn
from kit.program.halting.brake import hold_forked_worker
from workers.__main__ import main as run_workers

_MOST_DESCRIPTORS = 4096

#: What a new program does not inherit, but a fork does.
_HANDLED = (signal.SIGTERM, signal.SIGHUP)


def fork_workers() -> None:
    """Have this process fork its workers; those that it starts later, beside its threads, are executed."""
    vars(producer.fleet.spawn).update(subprocess=_subprocess(_start_first))
    vars(producer.fleet.agent).update(subprocess=_subprocess(_start_one))


def _subprocess(start: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(subprocess), "Popen": start})


def _start_first(command: Sequence[str], **how: Any) -> Any:
    if "--fork" in command and threading.active_count() == 1:
        return _FirstWorkers(command, how["stderr"].fileno())
    return subprocess.Popen(command, **how)


def _start_one(command: Sequence[str], **how: Any) -> Any:
    return _AgentsWorker(command) if threading.active_count() == 1 else subprocess.Popen(command, **how)


class _FirstWorkers:
    """The part of :class:`subprocess.Popen` that :class:`producer.fleet.spawn.FirstWorkers` needs."""

    def __init__(self, command: Sequence[str], log: int) -> None:
        self.returncode: int | None = None
        stdin, self._settings = os.pipe()
        self._pids, stdout = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _work(command, (stdin, stdout, log))
        os.close(stdin)
        os.close(stdout)

    def communicate(self, settings: bytes) -> tuple[bytes, None]:
        with open(self._settings, "wb", buffering=0) as writing:
            writing.write(settings)
        with open(self._pids, "rb") as reading:
            pids = reading.read()
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return pids, None


class _AgentsWorker:
    """The part of :class:`subprocess.Popen` that :class:`producer.fleet.agent.Agent` needs."""

    def __init__(self, command: Sequence[str]) -> None:
        settings, writing = os.pipe()
        self.stdin = os.fdopen(writing, "wb")
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _work(command, (settings, 1, 2))
        os.close(settings)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout_s: float | None = None) -> int:
        deadline_s = time.monotonic() + timeout_s if timeout_s is not None else None
        while (code := self.poll()) is None:
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise subprocess.TimeoutExpired(["workers"], timeout_s or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _work(command: Sequence[str], streams: Sequence[int]) -> NoReturn:
    code = 1
    try:
        _begin_anew(command, streams)
        code = run_workers()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        # Not by way of what the command has to do at its end.
        os._exit(code)


def _begin_anew(command: Sequence[str], streams: Sequence[int]) -> None:
    os.setsid()
    for number in _HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    os.closerange(len(streams), _MOST_DESCRIPTORS)
    # The command's own hold what it has not written yet.
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    sys.argv[:] = ["workers", *command[command.index("workers") + 1 :]]
    sys.orig_argv[:] = command
    hold_forked_worker()
