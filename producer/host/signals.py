"""The signals that ask a process to end."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn, Self

_INTERRUPTED = 130

#: The signals that were held and not acted on yet.
_held: list[int] = []


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


class EndingInOrder(ABC):
    """A context in which the first signal only asks for an end in order; the next one calls :meth:`end_now`.

    Main thread only.
    """

    def __init__(self) -> None:
        #: The first signal has come.
        self.requested = False
        #: It was no Ctrl-C.
        self.by_sigterm = False
        self._previous: dict[int, object] = {}

    @abstractmethod
    def end_now(self) -> NoReturn:
        """End without waiting for anything.  Called from a signal handler."""

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
            self.end_now()
        self.requested = True
        self.by_sigterm = number != signal.SIGINT


@contextmanager
def first_signal_held() -> Iterator[None]:
    """For the last step of work that is done otherwise: the first signal does not break it off, the second does.

    A signal that was held takes effect in :func:`act_on_held_signal`.  Main thread only.
    """
    previous = {number: signal.getsignal(number) for number in ending_signals()}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def hold(number: int, frame: FrameType | None) -> None:
        _held.append(number)
        restore()

    for number in previous:
        signal.signal(number, hold)
    try:
        yield
    finally:
        restore()


def act_on_held_signal() -> None:
    """Call before you begin more work: raises what the signal would have raised."""
    while _held:
        signal.raise_signal(_held.pop())
