"""What a blow can reach while a scenario is under way: its command, workers, broker and disks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psutil
import redis

from kit.disks.small_disk import SmallDisk
from kit.program.command import Running
from kit.program.machine import Machine
from kit.program.processes import socket_of
from kit.program.scene import Scene


class Stage:
    """``running`` is the command of the run that is under way."""

    def __init__(self, machine: Machine, scene: Scene, disks: Mapping[str, SmallDisk]) -> None:
        self.machine = machine
        self.scene = scene
        self.disks = disks
        self.running: Running
        #: Devices that are not what they were, until somebody puts them right.
        self.broken: set[str] = set()
        #: Devices that have lost files for good.
        self.deleted: set[str] = set()

    def worker(self, device: str) -> list[int]:
        """The device's worker, as far as it is alive."""
        pid = self.running.worker_pids().get(device, 0)
        return [pid] if pid and psutil.pid_exists(pid) else []

    def child(self, device: str) -> list[int]:
        with contextlib.suppress(psutil.Error):
            return [child.pid for pid in self.worker(device) for child in psutil.Process(pid).children()]
        return []

    def servers(self) -> list[int]:
        found = []
        for process in self.machine.processes():
            with contextlib.suppress(psutil.Error):
                found += [process.pid] if process.name() == "valkey-server" else []
        return found

    def broker(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(socket_of(self.machine)), socket_timeout=5)

    def mount_anew(self, device: str) -> None:
        """Take whatever is mounted away, and mount the disk as after a restart."""
        disk = self.disks[device]
        while disk.folder.is_mount():
            disk.unmount()
        disk.mount()
