"""Syncs a target of any size while the lease shows that the worker makes progress."""

from __future__ import annotations

import os
from collections.abc import Callable

from workers.devices.local.writeback import wait_for_writeback
from workers.target.beating import beating

#: One beat for each step: 6 s at 10 MB/s, where a manager waits 30 s.
STEP_BYTES = 64 * 1024 * 1024

#: A disk writes its own cache in seconds; a file server may have the whole image in its memory.
_LAST_SYNC_S = 600.0


def sync_in_steps(fd: int, beat: Callable[[], object]) -> None:
    """Like fsync, for gigabytes of unwritten data; raises OSError.

    ``beat`` is called for each step that the disk has taken, so a disk that stops is noticed.  The fsync at the end
    shows no progress: it counts as alive for 10 minutes, so a hanging one is detected that much later.
    """
    for start in range(0, os.lseek(fd, 0, os.SEEK_END), STEP_BYTES):
        wait_for_writeback(fd, start, STEP_BYTES)
        beat()
    with beating(beat, longest_s=_LAST_SYNC_S):
        os.fsync(fd)
