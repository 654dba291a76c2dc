"""Ctrl-C: the first stops the run in order, the second ends it at once.

SIGTERM does the same, but it is meant for the process and not for its work: the schedule will resume that.  SIGHUP, of
a terminal that is gone, does what SIGTERM does.
"""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import NoReturn, Self

from producer.host.signals import ending_signals
from tasks.errors import InterruptedRun


class Sigterm(KeyboardInterrupt):
    """SIGTERM or SIGHUP while no :class:`Interrupt` is active: cleans up on the way out, like Ctrl-C."""


def on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
    """A signal handler for the whole life of a process."""
    raise Sigterm


class Interrupt:
    """A context in which SIGINT, SIGTERM and SIGHUP only set a flag.  Main thread only."""

    def __init__(self) -> None:
        self.requested = False
        self._by_sigterm = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in ending_signals():
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGHUP:
            return  # a terminal that goes away sends it, and then the shell does
        if self.requested:
            # The workers die with this process, and every step can be broken off safely.
            os._exit(InterruptedRun.exit_code)
        self.requested = True
        self._by_sigterm = number != signal.SIGINT

    def check(self) -> None:
        """Raise InterruptedRun once a signal has arrived."""
        if self.requested:
            raise InterruptedRun("interrupted", by_sigterm=self._by_sigterm)
