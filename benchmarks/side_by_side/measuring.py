"""Runs one command and tells what it cost: time, processor time and memory of all its processes together."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36

#: What a command leaves running when it has ended (a server that waits for more users) may take so long to end.
_ORPHANS_S = 15.0

_SAMPLE_EVERY_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """``cpu_s`` is user and system time of all processes; ``peak_bytes`` is 0 unless it was asked for."""

    wall_s: float
    cpu_s: float
    peak_bytes: int = 0


class CommandFailed(Exception):
    """The command did not do what it was measured for."""


def become_reaper() -> None:
    """Inherit the orphans of the commands, so that their processor time is counted too."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def run(command: Sequence[str], *, env: Mapping[str, str], log: Path, measure_memory: bool = False) -> Cost:
    """Run ``command`` to its end.  Its output goes to ``log``; raises CommandFailed with the end of it.

    One command at a time: the processor time is that of all children of this process.
    """
    before_s = _children_cpu_s()
    with log.open("wb") as output:
        started_s = time.perf_counter()
        process = subprocess.Popen(command, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        memory = _Memory(process.pid) if measure_memory else None
        code = process.wait()
        wall_s = time.perf_counter() - started_s
    peak_bytes = memory.stop() if memory else 0
    _reap_orphans()
    if code:
        raise CommandFailed(f"{' '.join(command)}: exit code {code}\n{log.read_text(errors='replace')[-2000:]}")
    return Cost(wall_s=wall_s, cpu_s=_children_cpu_s() - before_s, peak_bytes=peak_bytes)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap_orphans() -> None:
    deadline = time.monotonic() + _ORPHANS_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)
        except ChildProcessError:
            return


class _Memory:
    """Samples the proportional set size of a process and all that it started; shared pages count once."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_EVERY_S):
            self._peak_bytes = max(self._peak_bytes, sum(map(_pss_bytes, _descendants(self._pid))))


def _descendants(pid: int) -> list[int]:
    found, pending = [], [pid]
    while pending:
        found.append(pending.pop())
        try:
            for tasks in Path(f"/proc/{found[-1]}/task").iterdir():
                pending += map(int, (tasks / "children").read_text().split())
        except OSError:
            continue
    return found


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
