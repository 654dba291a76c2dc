"""How many threads each worker of a run gets."""

from __future__ import annotations

import os


def default_threads(devices_count: int) -> int:
    """The cores of this host divided by the number of workers, at least one."""
    return max(1, (os.cpu_count() or 1) // devices_count)
