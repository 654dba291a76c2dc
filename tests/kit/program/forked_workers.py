"""In a forked command: its first workers as forks of it, in place of a process that imports their program once more.

Only what starts them is another; what they run is ``python -m workers`` all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

import producer.fleet.spawn
from workers.__main__ import main as run_workers

_MOST_DESCRIPTORS = 4096

#: What a new program does not inherit, but a fork does.
_HANDLED = (signal.SIGTERM, signal.SIGHUP)


def fork_first_workers() -> None:
    """Have this process fork its first workers; those that it starts later, beside its threads, are executed."""
    forking = SimpleNamespace(**{**vars(subprocess), "Popen": _start})
    vars(producer.fleet.spawn).update(subprocess=forking)


def _start(command: Sequence[str], **how: Any) -> Any:
    if "--fork" in command and threading.active_count() == 1:
        return _FirstWorkers(command, how["stderr"].fileno())
    return subprocess.Popen(command, **how)


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
