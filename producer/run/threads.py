"""How many threads each worker of a run gets."""

from __future__ import annotations

import os


def default_threads(devices_count: int) -> int:
    """Threads of each worker: the cores shared out, at least one."""
    return max(1, (os.cpu_count() or 1) // devices_count)
