"""The processes of a running backup, by what they are."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import redis

from kit.deadlines import eventually
from kit.program.command import Running
from kit.program.forking.forked_children import ON_BEHALF
from kit.program.machine import Machine


def worker(running: Running, device: str) -> int:
    """Process id of the device's worker, the one that renews the lease."""
    return int(running.worker_pids()[device])


def worker_child(running: Running, device: str) -> int:
    """Process id of the worker's child, the one that moves the bytes."""
    children = eventually(lambda: psutil.Process(worker(running, device)).children(), f"worker {device} has a child")
    return int(children[0].pid)


def broker_pid(machine: Machine) -> int:
    found = eventually(lambda: _server(machine), "the private server is there")
    assert found is not None
    return found


def keeper_pid(machine: Machine) -> int:
    return int(psutil.Process(broker_pid(machine)).ppid())


def broker(machine: Machine) -> redis.Redis:
    """A client of the machine's private server."""
    return redis.Redis(unix_socket_path=str(socket_of(machine)))


def broker_of_reader(machine: Machine) -> redis.Redis:
    """A client of the private server of the only run that reads."""
    return redis.Redis(unix_socket_path=str(machine.state / "readers/1/broker/broker.sock"))


def socket_of(machine: Machine) -> Path:
    return machine.state / "broker" / "broker.sock"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    """Let the process stand still, as one on a hung disk does."""
    os.kill(pid, signal.SIGSTOP)


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


def runs_for_a_master(manager: Machine) -> bool:
    """Whether a command runs on behalf of a master."""
    for process in manager.processes():
        with suppress(psutil.Error):
            if process.name() == ON_BEHALF or "producer.cli.on_behalf" in process.cmdline():
                return True
    return False


def _server(machine: Machine) -> int | None:
    for process in machine.processes():
        try:
            if process.name() in ("valkey-server", "redis-server"):
                return int(process.pid)
        except psutil.Error:
            continue
    return None
