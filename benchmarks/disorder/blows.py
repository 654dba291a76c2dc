"""The faults of processes and of the broker that a run may meet, each as a function that makes it happen for real.

A blow returns what undoes it, or None when there is nothing to undo.  It does nothing when what it would hit is not
there (yet, or any more): the moment is random.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable

import psutil
import redis

from disorder.stage import Stage

Undo = Callable[[], None] | None
Blow = Callable[[Stage, str], Undo]


def kill_worker(stage: Stage, device: str) -> Undo:
    return _send(stage.worker(device), signal.SIGKILL)


def stop_worker(stage: Stage, device: str) -> Undo:
    """The whole worker stands still, as on a host that swaps; later it wakes up."""
    return _stop([*stage.child(device), *stage.worker(device)])


def kill_child(stage: Stage, device: str) -> Undo:
    return _send(stage.child(device), signal.SIGKILL)


def hang_child(stage: Stage, device: str) -> Undo:
    """The lease lives, the bytes stand still: a disk that does not answer."""
    return _stop(stage.child(device))


def slow_child(stage: Stage, device: str) -> Undo:
    """The device is slow: its child stands still four fifths of the time."""
    is_over = threading.Event()

    def slow_down() -> None:
        while not is_over.is_set():
            pids = stage.child(device)
            _send(pids, signal.SIGSTOP)
            is_over.wait(0.4)
            _send(pids, signal.SIGCONT)
            is_over.wait(0.1)

    thread = threading.Thread(target=slow_down, daemon=True)
    thread.start()

    def speed_up() -> None:
        is_over.set()
        thread.join(10)

    return speed_up


def kill_command(stage: Stage, _device: str) -> Undo:
    return _send([stage.running.pid], signal.SIGKILL)


def interrupt_command(stage: Stage, _device: str) -> Undo:
    return _send([stage.running.pid], signal.SIGINT)


def stop_command(stage: Stage, _device: str) -> Undo:
    return _stop([stage.running.pid])


def kill_broker(stage: Stage, _device: str) -> Undo:
    return _send(stage.servers(), signal.SIGKILL)


def stop_broker(stage: Stage, _device: str) -> Undo:
    return _stop(stage.servers())


def kill_keeper(stage: Stage, _device: str) -> Undo:
    return _send([psutil.Process(pid).ppid() for pid in stage.servers()], signal.SIGKILL)


def empty_broker(stage: Stage, _device: str) -> Undo:
    with contextlib.suppress(redis.RedisError), stage.broker() as client:
        client.flushall()
    return None


def lose_orders(stage: Stage, device: str) -> Undo:
    """The orders that wait in one queue vanish."""
    with contextlib.suppress(redis.RedisError), stage.broker() as client:
        client.delete(f"device.{device}")
    return None


def repeat_orders(stage: Stage, device: str) -> Undo:
    """Every order that waits in one queue is there twice."""
    with contextlib.suppress(redis.RedisError), stage.broker() as client:
        for message in client.lrange(f"device.{device}", 0, -1):
            client.lpush(f"device.{device}", message)
    return None


BLOWS: dict[str, Blow] = {
    blow.__name__: blow
    for blow in (
        kill_worker,
        stop_worker,
        kill_child,
        hang_child,
        kill_command,
        interrupt_command,
        stop_command,
        kill_broker,
        stop_broker,
        kill_keeper,
        empty_broker,
        lose_orders,
        repeat_orders,
        slow_child,
    )
}


def _send(pids: list[int], number: signal.Signals) -> Undo:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return None


def _stop(pids: list[int]) -> Undo:
    _send(pids, signal.SIGSTOP)

    def wake() -> None:
        _send(pids, signal.SIGCONT)

    return wake
