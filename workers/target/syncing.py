"""Syncing a target of any size, while the lease shows that the worker moves."""

from __future__ import annotations

import os
from collections.abc import Callable

from workers.devices.local.writeback import wait_for_writeback
from workers.target.beating import beating

#: A beat for each: 6 s at 10 MB/s, where a manager has patience for 30.
STEP_BYTES = 64 * 1024 * 1024

#: A disk's own memory is written in seconds; a server may have all of the image in its.
_LAST_SYNC_S = 600.0


def sync_in_steps(fd: int, beat: Callable[[], object]) -> None:
    """As fsync, for gigabytes that wait to be written; raises OSError.

    ``beat`` is called for each step that the disk has taken, so one that takes no more is noticed.  Nobody sees how far
    the fsync after them is: it counts as moving for 10 minutes, and one that hangs is found so much later.
    """
    for start in range(0, os.lseek(fd, 0, os.SEEK_END), STEP_BYTES):
        wait_for_writeback(fd, start, STEP_BYTES)
        beat()
    with beating(beat, longest_s=_LAST_SYNC_S):
        os.fsync(fd)
