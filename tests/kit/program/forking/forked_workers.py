"""In a forked command: an agent's workers as forks of it, in place of processes that import their program once more.

Only what starts them is another; what they run is ``python -m workers`` all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import producer.fleet.agent
import workers.__main__
from kit.program.halting.brake import hold_forked_worker
from producer.fleet.forked import work
from workers.__main__ import main as run_workers


def fork_workers() -> None:
    """Have this process fork an agent's workers; those that it starts later, beside its threads, are executed."""
    vars(workers.__main__).update(main=_run_workers)
    vars(producer.fleet.agent).update(subprocess=SimpleNamespace(**{**vars(subprocess), "Popen": _start_one}))


def _run_workers() -> int:
    hold_forked_worker()
    return run_workers()


def _start_one(command: Sequence[str], **how: Any) -> Any:
    return _AgentsWorker(command) if threading.active_count() == 1 else subprocess.Popen(command, **how)


class _AgentsWorker:
    """The part of :class:`subprocess.Popen` that :class:`producer.fleet.agent.Agent` needs."""

    def __init__(self, command: Sequence[str]) -> None:
        settings, writing = os.pipe()
        self.stdin = os.fdopen(writing, "wb")
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            work(command, (settings, 1, 2))
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
