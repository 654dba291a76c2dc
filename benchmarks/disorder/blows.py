"""The faults that a run may meet, each as a function that makes it happen for real.

A blow returns what undoes it, or None when there is nothing to undo.  It does nothing when what it would hit is not
there (yet, or any more): the moment is random.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable

import psutil
import redis

from disorder.stage import Stage

Undo = Callable[[], None] | None
Blow = Callable[[Stage, str], Undo]

MARKER = "segfleet.json"


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


def take_marker(stage: Stage, device: str) -> Undo:
    marker, hidden = stage.scene.folder(device) / MARKER, stage.scene.machine.folder / f"{device}.{MARKER}"
    try:
        os.replace(marker, hidden)
    except OSError:
        # Not there, or on another file system: then the folder is moved instead.
        return None
    return lambda: os.replace(hidden, marker)


def take_folder(stage: Stage, device: str) -> Undo:
    """The whole device is somewhere else, and nothing is in its place."""
    folder = stage.scene.folder(device)
    if folder.is_mount() or not (folder / MARKER).exists():
        return None
    away = folder.with_name(f"{folder.name} away")
    folder.rename(away)

    def bring_back() -> None:
        away.rename(folder)

    return bring_back


def fill_disk(stage: Stage, device: str) -> Undo:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / "segments").is_dir():
        return None
    try:
        disk.fill(leave_bytes=100_000)
    except OSError:
        return None

    def make_room() -> None:
        # Another blow may have unmounted it meanwhile, turned it read-only, or filled it too and made room already.
        if not (disk.folder.is_mount() and os.access(disk.folder, os.W_OK)):
            stage.mount_anew(device)
        with contextlib.suppress(FileNotFoundError):
            disk.make_room()

    return make_room


def turn_read_only(stage: Stage, device: str) -> Undo:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / MARKER).exists():
        return None
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        disk.turn_read_only()
    return lambda: stage.mount_anew(device)


def unmount(stage: Stage, device: str) -> Undo:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / MARKER).exists():
        return None
    disk.unmount()
    return lambda: stage.mount_anew(device)


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
        take_marker,
        take_folder,
        fill_disk,
        turn_read_only,
        unmount,
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
