"""Reads a source in turn with the other workers of this host."""

from __future__ import annotations

import time
from collections.abc import Callable

from workers.disks.turns import Turns

#: A turn lasts one unit, but no longer than this: a disk may read just 1 MB of small files a second.
_TURN_S = 0.5

#: The step in which this is checked and signs of life are given.
_STEP_BYTES = 2 * 1024 * 1024


def read_in_turns(
    fill: Callable[[memoryview], object], buffer: memoryview, *, turns: Turns | None, beat: Callable[[], object]
) -> None:
    """Have ``fill`` fill all of ``buffer``: at once without ``turns``, else in steps and only during our turn.

    ``beat`` is called after each step, and while waiting for a turn.
    """
    if turns is None:
        fill(buffer)
        return
    done_bytes = 0
    while done_bytes < len(buffer):
        with turns.turn(beat):
            end_s = time.monotonic() + _TURN_S
            while done_bytes < len(buffer) and time.monotonic() < end_s:
                step = buffer[done_bytes : done_bytes + _STEP_BYTES]
                fill(step)
                done_bytes += len(step)
                beat()
