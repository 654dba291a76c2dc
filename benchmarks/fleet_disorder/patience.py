"""Waiting for a fleet, which answers slowly and should not be kept busy by questions."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY_S = 0.3


def wait_until(ask: Callable[[], object], what: str, *, deadline_s: float) -> float:
    """The seconds until ``ask`` was true; raises AssertionError, with its last answer, at the deadline."""
    started_s = time.monotonic()
    while not (answer := ask()):
        assert time.monotonic() < started_s + deadline_s, f"not within {deadline_s:.0f} s: {what} (last: {answer!r})"
        time.sleep(_EVERY_S)
    return time.monotonic() - started_s
