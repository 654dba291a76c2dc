"""How much memory the processes of a machine take, each at its peak."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from kit.program.machine import Machine

#: One reading of all processes takes 10 ms.
_INTERVAL_S = 0.25


@contextmanager
def peak_memory(machine: Machine) -> Iterator[dict[str, int]]:
    """Role of a process ("command", "worker a", "worker a child", "broker", "keeper") → the largest PSS seen, in bytes.

    PSS shares memory out among the processes that share it, so that the sum over all is true.
    """
    peaks: dict[str, int] = {}
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_INTERVAL_S):
            for process in machine.processes():
                _note_peak(peaks, process)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peaks
    finally:
        ended.set()
        sampler.join()


def _note_peak(peaks: dict[str, int], process: psutil.Process) -> None:
    try:
        role, size_bytes = _role_of(process), process.memory_full_info().pss
    except psutil.Error:
        return
    peaks[role] = max(size_bytes, peaks.get(role, 0))


def _role_of(process: psutil.Process) -> str:
    command = process.cmdline()
    if any(word.endswith("keeper.py") for word in command):
        return "keeper"
    if "workers" in command:
        # The kernel keeps 15 characters.
        device = Path(f"/proc/{process.pid}/comm").read_text().strip().removeprefix("segfleet:")
        parent = process.parent()
        is_child = parent is not None and "workers" in parent.cmdline()
        return f"worker {device} child" if is_child else f"worker {device}"
    return "command" if "producer.cli.start" in " ".join(command) else "broker"
