"""An agent runs the workers for the devices of one host, one process each (``segfleet worker``).

The agent knows the broker, and the folder of each device, source and target on this host.  It passes that to its
workers on standard input, because other users can read arguments and environments.  It replaces a worker that ends by
itself, after a wait that doubles, and says so.  On SIGTERM all workers finish their current order.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from msgspec import Struct

from producer.host.signals import ending_signals
from producer.host.supervisor import Supervisor

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0

#: A worker that has run for this long is healthy: if it ends, the next one starts after the first wait.
_WELL_S = 60.0

_LOOK_EVERY_S = 0.2

_KILLED_S = 5.0


class _Post(Struct):
    """One device, and the worker that serves it."""

    device: str
    worker: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    due_s: float = 0.0
    wait_s: float = _FIRST_WAIT_S


class Agent:
    """Runs until SIGTERM or SIGINT.  Main thread only: a worker dies with the thread that started it."""

    def __init__(
        self, *, settings: dict[str, Any], devices: Sequence[str], events: bool, note: Callable[[str], None]
    ) -> None:
        self._settings = json.dumps(settings).encode("ascii")
        self._events = events
        self._note = note
        self._posts = [_Post(device=device) for device in devices]
        self._supervisor = Supervisor()
        self._stopping = False

    def run(self) -> None:
        """Serve the devices; returns when all workers have ended after a signal."""
        previous = {number: signal.signal(number, self._on_signal) for number in ending_signals()}
        try:
            self._supervisor.ready()
            while not self._stopping:
                for post in self._posts:
                    self._look_after(post)
                self._supervisor.alive(self._in_words())
                time.sleep(_LOOK_EVERY_S)
            self._drain()
        finally:
            self._kill()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _in_words(self) -> str:
        served = [post.device for post in self._posts if post.worker is not None]
        missing = [post.device for post in self._posts if post.worker is None]
        words = [f"serving {', '.join(served)}"] * bool(served) + [f"no worker for {', '.join(missing)}"] * bool(
            missing
        )
        return "; ".join(words)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            # The second signal: end at once.  The workers die with this process; their orders go to others.
            os._exit(128 + number)
        self._stopping = True

    def _look_after(self, post: _Post) -> None:
        now_s = time.monotonic()
        if post.worker is not None and (code := post.worker.poll()) is not None:
            post.worker = None
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            self._wait(post, f"the worker of device {post.device} ended ({how})")
        if post.worker is None and now_s >= post.due_s and not self._stopping:
            post.started_s = now_s
            try:
                post.worker = self._spawn(post.device)
            except OSError as error:
                # No memory, or no more processes: that may pass.
                self._wait(post, f"no worker of device {post.device} could be started ({error.strerror})")

    def _wait(self, post: _Post, why: str) -> None:
        now_s = time.monotonic()
        post.wait_s = _FIRST_WAIT_S if now_s - post.started_s > _WELL_S else min(post.wait_s * 2, _LONGEST_WAIT_S)
        post.due_s = now_s + post.wait_s
        self._note(f"{why}; starting another in {post.wait_s:.0f} s")

    def _spawn(self, device: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "workers", device, "--shared", "--parent-pid", str(os.getpid())]
        worker = subprocess.Popen(
            [*command, "--events"] if self._events else command,
            stdin=subprocess.PIPE,
            # Ctrl-C reaches the agent, which passes it on.
            start_new_session=True,
        )
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError), worker.stdin:
            worker.stdin.write(self._settings)
        self._note(f"serving device {device} (pid {worker.pid})")
        return worker

    def _drain(self) -> None:
        """Let each worker finish its current order, however long that takes."""
        workers = [post.worker for post in self._posts if post.worker is not None]
        self._supervisor.stopping("the workers finish their current orders")
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait()

    def _kill(self) -> None:
        for post in self._posts:
            if post.worker is not None and post.worker.poll() is None:
                post.worker.kill()
                # One that is stuck in the kernel on a hung device stays.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    post.worker.wait(_KILLED_S)
