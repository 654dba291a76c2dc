"""The watchdog of a manager's loop: when the loop does not turn, it says where, and ends the process.

A manager that hangs looks alive to its supervisor, and nobody takes its commands.  One that ends is started again, and
resumes what it was doing.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

_LOOKS_COUNT = 20

#: Anyone who reads standard error may be stuck as well.
_WRITE_S = 2.0


def end_process(text: str) -> NoReturn:
    """Write ``text`` to standard error if that works, and end with 1."""
    writing = threading.Thread(target=_write, args=(text,), daemon=True)
    writing.start()
    writing.join(_WRITE_S)
    os._exit(1)


def _write(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode("utf-8", "backslashreplace"))


class Watchdog:
    """A context manager; call :meth:`turn` in each step of the loop, in the thread that opened the context."""

    def __init__(self, limit_s: float, end: Callable[[str], object] = end_process) -> None:
        self._limit_s = limit_s
        self._end = end
        self._turns_count = 0
        self._has_ended = threading.Event()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._watched = threading.get_ident()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._has_ended.set()

    def turn(self) -> None:
        """The loop turns."""
        self._turns_count += 1

    def _watch(self) -> None:
        """Counts its own looks: a process that was stopped, or whose host slept, did not look either."""
        seen_count, still_count = -1, 0
        while not self._has_ended.wait(self._limit_s / _LOOKS_COUNT):
            still_count = still_count + 1 if self._turns_count == seen_count else 0
            seen_count = self._turns_count
            if still_count >= _LOOKS_COUNT:
                self._end(self._in_words())
                return

    def _in_words(self) -> str:
        frame = sys._current_frames().get(self._watched)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        return f"segfleet: the manager has stood still for {self._limit_s:.0f} s and ends; it stood in:\n{stack}"
