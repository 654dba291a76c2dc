"""Tells processes from later ones with the same number.

A process number is unique only within one boot and one pid namespace; two containers on one host have different ones.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

#: Still in the process table, but no longer doing anything.
_DEAD_STATES = "ZX"


@cache
def pid_space() -> str:
    """Names the set of processes in which a process number is unique; "" if unknown."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def start_of(pid: int) -> str:
    """When a process of this pid space began, in the kernel's ticks since it booted; "" when it is gone."""
    with suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # The name in parentheses may hold spaces and parentheses.  After it come the state and, 19 fields later, the
        # start.
        fields = status.rpartition(")")[2].split()
        return "" if fields[0] in _DEAD_STATES else fields[19]
    return ""


def is_running(pid: int, start: str) -> bool:
    """Whether the process that began at ``start`` still exists; ``pid`` is of this pid space."""
    found = start_of(pid)
    if found:
        return found == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's, and /proc hides it
    # It existed, but is not in /proc: it ended between the two looks.
    return False
