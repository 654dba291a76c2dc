"""Waiting for something to become true: with a deadline, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Long past what anything in the tests takes, on a busy machine too.
DEADLINE_S = 60.0


def eventually(ask: Callable[[], T], what: str, *, deadline_s: float = DEADLINE_S, pause_s: float = 0.01) -> T:
    """The first true answer of ``ask``; fails the test, naming ``what`` and the last answer, at the deadline.

    ``pause_s``: between two questions; longer where a question is dear.
    """
    end_s = time.monotonic() + deadline_s
    while not (answer := ask()):
        assert time.monotonic() < end_s, f"within {deadline_s:.0f} s: {what} (last answer: {answer!r})"
        time.sleep(pause_s)
    return answer
