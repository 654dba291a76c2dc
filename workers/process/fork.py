"""Forks several workers from one process that imports the program once, which saves half a second for each."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import redis.utils

from tasks.app import app
from tasks.broker.leases import this_release
from workers.process.start import die_with_parent

#: Celery imports these when a worker begins, and each worker would by itself: a seventh of a second.
IMPORTED_BY_CELERY = (
    "billiard.popen_fork",
    "billiard.sharedctypes",
    "billiard.synchronize",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.loaders.app",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "tasks.definitions",
)


def import_early() -> None:
    """Import and look up what each worker of this process would by itself."""
    for name in IMPORTED_BY_CELERY:
        import_module(name)
    app.finalize()
    # What each would read of installed packages.
    this_release()
    redis.utils.get_lib_version()


def fork_workers(devices: Sequence[str], log_dir: Path, parent_pid: int) -> str | None:
    """Fork a worker for each device; returns its device in each worker, and None in this process.

    This process must end then: its workers wait for that, become children of ``parent_pid``, which must be a subreaper
    (prctl(2)), and die with it.  Their pids are written to standard output, as JSON by device; their own output goes
    to ``<log_dir>/worker-<device>.log``.  Call from a process without threads, after :func:`import_early`.
    """
    # Nothing that exists now is garbage; if the collector ignores it, its pages stay shared.
    gc.freeze()
    own_pid, pids = os.getpid(), {}
    for device in devices:
        pids[device] = os.fork()
        if not pids[device]:
            _settle(device, log_dir, own_pid, parent_pid)
            return device
    print(json.dumps(pids), flush=True)
    return None


def _settle(device: str, log_dir: Path, forked_by_pid: int, parent_pid: int) -> None:
    os.setsid()
    log = os.open(log_dir / f"worker-{device}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)
    # Celery's pool makes a folder that a killed worker cannot remove.
    os.environ["TMPDIR"] = str(log_dir / f"worker-{device}.tmp")
    while os.getppid() == forked_by_pid:
        time.sleep(0.001)
    die_with_parent(parent_pid)
    sys.stdin.close()
