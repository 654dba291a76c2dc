"""Reads no faster than is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A worker that waits shows that it lives.
_BEAT_S = 0.5


class Pace:
    """Each caller waits until its bytes would have come at ``bytes_per_s``, and calls ``beat`` meanwhile."""

    def __init__(self, bytes_per_s: int, beat: Callable[[], None]) -> None:
        self._bytes_per_s = bytes_per_s
        self._beat = beat
        self._free_at_s = time.monotonic()

    def take(self, bytes_count: int) -> None:
        self._free_at_s = max(time.monotonic(), self._free_at_s) + bytes_count / self._bytes_per_s
        while (left_s := self._free_at_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _BEAT_S))
            self._beat()
