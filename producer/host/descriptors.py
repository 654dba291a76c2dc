"""The open descriptors of this process: files, connections and locks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress


def close_all_above(last: int) -> None:
    """Close every descriptor with a higher number than ``last``.

    For a process that was just forked: neither locks nor connections may outlive their owner there.
    """
    for descriptor in _open_descriptors():
        if descriptor > last:
            with suppress(OSError):
                os.close(descriptor)


def _open_descriptors() -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:  # there is no /proc
        return range(os.sysconf("SC_OPEN_MAX"))
