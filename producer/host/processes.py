"""Processes, told from later ones of the same number.

A process number means something only among the processes of one boot and one pid namespace; two containers on one host
have different ones.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

#: Still in the table of processes, and past doing anything.
_DEAD_STATES = "ZX"


@cache
def pid_space() -> str:
    """Names the set of processes in which a number is that of one process; "" where the kernel does not tell."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def start_of(pid: int) -> str:
    """When a process of this pid space began, in the kernel's ticks since it booted; "" when it is gone."""
    with suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        # The name in parentheses may hold spaces and parentheses; behind it come the state, and 19 fields on the start.
        fields = status.rpartition(")")[2].split()
        return "" if fields[0] in _DEAD_STATES else fields[19]
    return ""


def is_running(pid: int, start: str) -> bool:
    """Whether the process that began at ``start`` is still there; ``pid`` is of this pid space."""
    found = start_of(pid)
    if found:
        return found == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's, and /proc hides it
    # There, but not in /proc: a zombie, or one that has ended between the two looks.
    return False
