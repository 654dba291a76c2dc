"""Signs of life during a single call that may take minutes, and tells nothing of how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: As often as the lease, which shows the beats, is renewed.
_EVERY_S = 1.0


@contextmanager
def beating(beat: Callable[[], object], *, longest_s: float) -> Iterator[None]:
    """Call ``beat`` once a second, from a thread, while the block runs; but not after ``longest_s``.

    What it costs: a call that never returns is found to hang that much later.
    """
    ended, stop_s = threading.Event(), time.monotonic() + longest_s

    def run() -> None:
        while not ended.wait(_EVERY_S) and time.monotonic() < stop_s:
            beat()

    thread = threading.Thread(target=run, name="beating", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
