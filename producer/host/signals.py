"""The signals that ask a process to end."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 130


def ending_signals() -> tuple[signal.Signals, ...]:
    """SIGINT, SIGTERM, and SIGHUP: the terminal is gone.  A process started with ``nohup`` ignores SIGHUP."""
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)


def end_at_once_on_signals(exit_code: int = _INTERRUPTED) -> None:
    """Handle the signals while there is nothing to clean up: before a command has begun, and after its end."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        if exit_code == _INTERRUPTED:
            os.write(2, b"segfleet: interrupted\n")
        os._exit(exit_code)

    for number in ending_signals():
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
