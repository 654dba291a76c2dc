"""Starts the process of a local worker.

A worker needs its settings, which come on its standard input, only when it has imported its program.  So it can be
started before anything else: it imports while the run imports the engine and starts the broker.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

#: Device → a worker that waits for its settings.  It ends with this process if it gets none.
EarlyWorkers = dict[str, subprocess.Popen[bytes]]


def spawn_early(devices: Iterable[str], log_dir: Path) -> EarlyWorkers:
    """Start a worker for each device; call from the main thread, and before the engine is imported."""
    return {device: spawn_worker(device, log_dir) for device in devices}


def spawn_worker(device: str, log_dir: Path) -> subprocess.Popen[bytes]:
    """Start a worker, which waits for its settings on ``stdin``; its output goes to the end of its log."""
    scratch = scratch_of(device, log_dir)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log_of(device, log_dir).open("ab") as log:
        return subprocess.Popen(
            # -P: the person's working folder is no place to import modules from.
            [sys.executable, "-P", "-m", "workers", device, "--parent-pid", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Celery's pool makes a folder that a killed worker cannot remove.
            env={**os.environ, "TMPDIR": str(scratch)},
            # A session of its own: Ctrl-C at the terminal reaches the run, which stops its workers in order.
            start_new_session=True,
        )


def log_of(device: str, log_dir: Path) -> Path:
    return log_dir / f"worker-{device}.log"


def scratch_of(device: str, log_dir: Path) -> Path:
    return log_dir / f"worker-{device}.tmp"
