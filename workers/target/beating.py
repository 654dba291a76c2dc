"""Signs of life during a single call that may take minutes without reporting progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: The lease, which shows the beats, is renewed as often.
_EVERY_S = 1.0


@contextmanager
def beating(beat: Callable[[], object], *, longest_s: float) -> Iterator[None]:
    """Call ``beat`` once a second, from a thread, while the block runs, but for ``longest_s`` at most.

    The price: a call that hangs is detected that much later.
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
