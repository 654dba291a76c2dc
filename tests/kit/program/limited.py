"""Runs a few lines of Python in a process that may have little memory: what costs more fails there, and only there."""

from __future__ import annotations

import subprocess
import sys

from kit.repository import REPOSITORY

_MIB = 1024 * 1024

_LIMITED = """
import resource, sys
sys.path[:0] = {path!r}
{setup}
import mmap
held = int(open("/proc/self/statm").read().split()[0]) * mmap.PAGESIZE
resource.setrlimit(resource.RLIMIT_AS, (held + {more_bytes},) * 2)
{code}
"""


def run_limited(code: str, *, setup: str = "", more_mib: int = 400) -> str:
    """Run ``setup``, then ``code`` with at most ``more_mib`` of memory more; returns what it printed."""
    script = _LIMITED.format(path=sys.path, setup=setup, more_bytes=more_mib * _MIB, code=code)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
