"""Who has claimed a reservation: a process, told from a later one of the same number."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def this_process() -> str:
    """``host/pid/start``, where start is in the kernel's ticks since it booted."""
    return f"{platform.node()}/{os.getpid()}/{_start_of(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Whether the process was one of this host, and has ended.  Of another host's process nothing is known: False."""
    host, pid, start = owner.rsplit("/", 2)
    return host == platform.node() and _start_of(int(pid)) != start


def _start_of(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold spaces and parentheses; the start is the 20th field after it.
    return status.rpartition(")")[2].split()[19]
