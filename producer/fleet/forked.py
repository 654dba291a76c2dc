"""Runs ``python -m workers`` in a fork of this process, which has already imported half of what workers need.

An interpreter of its own would begin with nothing: to import Redis, Celery and the values that travel costs a third of
a second of processor time, a fifth of a small backup.  What workers run is the same; only how their process begins
differs, and it takes nothing from this one but modules.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import IO, NoReturn

from producer.fleet.shown_command import show_command
from producer.host.descriptors import close_all_above
from producer.host.signals import ending_signals


def may_fork() -> bool:
    """Whether a fork of this process would find no lock that a thread of it holds, and for ever."""
    return threading.active_count() == 1


class ForkedWorkers:
    """The part of :class:`subprocess.Popen` that the starter of the first workers needs."""

    def __init__(self, command: Sequence[str], log: IO[bytes]) -> None:
        """``command``: as it would be executed.  Errors are written to ``log``."""
        self.returncode: int | None = None
        stdin, self._settings = os.pipe()
        self._answer, stdout = os.pipe()
        # What exists now stays.  A collection that looked at it here or there would copy all memory that both share.
        gc.freeze()
        # Held: a Ctrl-C may not run, in the fork, what the command does at its end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())
        self.pid = os.fork()
        if not self.pid:
            work(command, (stdin, stdout, log.fileno()))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(stdin)
        os.close(stdout)

    def communicate(self, settings: bytes) -> tuple[bytes, None]:
        """Write standard input, read standard output, and wait for the end."""
        with open(self._answer, "rb") as answer:
            try:
                with open(self._settings, "wb") as writing:
                    writing.write(settings)
            except BrokenPipeError:
                pass  # it has ended, and its exit code says so
            answered = answer.read()
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return answered, None


def work(command: Sequence[str], streams: Sequence[int]) -> NoReturn:
    """In a fork: be the process that ``command`` would start, with these descriptors as its standard streams."""
    code = 1
    try:
        _begin_anew(command, streams)
        # By its name, as on the command line: from here on this is a process of the workers, and none of a producer.
        code = import_module("workers.__main__").main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        # Not by way of what the command has to do at its end.
        os._exit(code)


def _begin_anew(command: Sequence[str], streams: Sequence[int]) -> None:
    # A new session: Ctrl-C at the terminal reaches only the run, which stops its workers in order.
    os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    close_all_above(len(streams) - 1)
    # The command's own hold what it has not written yet.
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    sys.argv[:] = ["workers", *command[command.index("workers") + 1 :]]
    sys.orig_argv[:] = command
    _handle_signals_anew()
    show_command(command)


def _handle_signals_anew() -> None:
    """As an interpreter does that begins: what this process ignores it goes on ignoring."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())
