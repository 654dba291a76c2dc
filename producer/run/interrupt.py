"""Ctrl-C: the first stops the run in order, the second ends it at once.

SIGTERM does the same, but it is meant for the process and not for its work: the schedule will resume that.  SIGHUP, of
a terminal that is gone, does what SIGTERM does.
"""

from __future__ import annotations

import os
from types import FrameType
from typing import NoReturn

from producer.host.signals import EndingInOrder
from tasks.errors import InterruptedRun


class Sigterm(KeyboardInterrupt):
    """SIGTERM or SIGHUP while no :class:`Interrupt` is active: cleans up on the way out, like Ctrl-C."""


def on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
    """A signal handler for the whole life of a process."""
    raise Sigterm


class Interrupt(EndingInOrder):
    """A context in which SIGINT, SIGTERM and SIGHUP only set a flag.  Main thread only."""

    def end_now(self) -> NoReturn:
        """End this process: the workers die with it, and every step can be broken off safely."""
        os._exit(InterruptedRun.exit_code)

    def check(self) -> None:
        """Raise InterruptedRun once a signal has arrived."""
        if self.requested:
            raise InterruptedRun("interrupted", by_sigterm=self.by_sigterm)
