"""The workers of a local run: one process tree for each device, started by this process.

No worker outlives the run.  The kernel kills a worker when its parent ends (``die_with_parent`` in
``workers.process.start``), and the worker's own child when the worker ends; so even ``kill -9`` of
the command line leaves no orphan.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from producer.fleet.spawn import FirstWorkers, WorkerProcess, log_of, scratch_of, spawn_worker
from producer.observer import Observer

#: How long a worker may take to finish its current order before it is killed.
_STOP_S = 15.0


class Fleet(Protocol):
    """The workers of a run, by device.  Used from the run's thread only."""

    def start(self) -> None: ...

    def exited(self) -> dict[str, str]:
        """Device → how its worker ended, where this process can know that."""

    def kill(self, device: str) -> None:
        """End a worker at once, if this run started it."""

    def restart(self, device: str) -> None: ...

    def stop(self, *, orders_in_hand: bool) -> None: ...

    def where_to_look(self, device: str) -> str:
        """Where a person finds out why the device's worker is gone."""

    def is_shared(self, device: str) -> bool:
        """Whether the device's workers outlive the run and serve other runs too."""


class LocalFleet(Fleet):
    """Starts, watches and ends the workers.  Main thread only: a worker dies with the thread that started it."""

    def __init__(
        self,
        *,
        settings: dict[str, Any],
        devices: list[str],
        log_dir: Path,
        observer: Observer,
        first: FirstWorkers | None,
    ) -> None:
        """``first``: a process that was started earlier, to fork the first workers of ``devices`` and maybe others."""
        self._settings = json.dumps(settings).encode("ascii")
        self._devices = devices
        self._log_dir = log_dir
        self._observer = observer
        self._first = first
        self._workers: dict[str, WorkerProcess] = {}

    def start(self) -> None:
        """Start a worker for each device; returns before they are ready, which their leases show."""
        if not self._devices:
            return
        self._log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for device in self._devices:
            log_of(device, self._log_dir).write_bytes(b"")
        first = self._first or FirstWorkers(self._devices, self._log_dir)
        self._workers = first.start(self._settings)
        for device in self._workers.keys() - set(self._devices):
            self.kill(device)
        for device in self._devices:
            self._keep(device, self._workers.get(device))

    def restart(self, device: str) -> None:
        """End the device's worker if it is still there, and start another."""
        self.kill(device)
        self._keep(device, None)

    def _keep(self, device: str, worker: WorkerProcess | None) -> None:
        worker = worker or spawn_worker(device, self._log_dir, self._settings)
        self._workers[device] = worker
        self._observer.worker_started(device, worker.pid)

    def where_to_look(self, device: str) -> str:
        return f"see its log: {self.log_of(device)}"

    def is_shared(self, device: str) -> bool:
        return False

    def log_of(self, device: str) -> Path:
        return log_of(device, self._log_dir)

    def exited(self) -> dict[str, str]:
        """Device → how its worker ended, for all workers that have ended."""
        ended = {}
        for device, worker in self._workers.items():
            code = worker.poll()
            if code is not None:
                ended[device] = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return ended

    def kill(self, device: str) -> None:
        """End a worker and its child at once.  Harmless if it has already ended."""
        worker = self._workers[device]
        # The whole group: a child that is stopped could not notice its parent's death.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        # A process that is stuck in the kernel on a hung device stays; the epoch fences whatever it still does.
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(timeout=5)
        shutil.rmtree(scratch_of(device, self._log_dir), ignore_errors=True)

    def stop(self, *, orders_in_hand: bool) -> None:
        """End all workers.

        With ``orders_in_hand`` they first get SIGTERM, finish their current order and send its receipt.  Idle workers
        are killed: they have nothing to finish, and an orderly stop of Celery takes two seconds.
        """
        if orders_in_hand:
            self._terminate()
        for device in self._workers:
            self.kill(device)

    def _terminate(self) -> None:
        for worker in self._workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(timeout=max(0.01, deadline - time.monotonic()))
