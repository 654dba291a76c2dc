"""Hosts on one machine that share nothing but a network: each has processes, mounts, a name and an address of its own.

A host can lose its power: all its processes are gone at once, and nobody tells the others.  It starts again from what
is in its folders.  Only root can make such hosts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import MappingProxyType

from kit.needs import SYSTEM_PATH, need_root, need_tools

#: The first process of a host.  It ends only with the host, and orphans become its children and vanish as they end.
_FIRST = (
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print('up', flush=True); "
    "[signal.pause() for _ in iter(int, 1)]"
)
_PREFIX = "10.77.0"
_PORT_NUMBERS = count()


class Network:
    """A switch.  Hosts are at it from :meth:`NamespaceHost.boot` on."""

    def __init__(self) -> None:
        self._hosts: dict[str, NamespaceHost] = {}
        self.pid, self._first = _new_namespaces("switch")
        self.switch("ip link add wire type bridge", "ip link set wire up")

    def host(self, name: str, folder: Path, mounts: Mapping[str, Path] = MappingProxyType({})) -> NamespaceHost:
        """A new host, which is off.  ``mounts``: places that exist on this machine → what the host has there."""
        folder.mkdir(parents=True, exist_ok=True)
        host = NamespaceHost(self, name, f"{_PREFIX}.{len(self._hosts) + 1}", folder, mounts)
        self._hosts[name] = host
        return host

    def switch(self, *commands: str) -> None:
        """Run commands of ``ip`` at the switch."""
        for command in commands:
            _run("nsenter", f"--target={self.pid}", "--net", *command.split())

    def end(self) -> None:
        for host in self._hosts.values():
            host.cut_power()
        _end(self.pid, self._first)


class NamespaceHost:
    """``environment`` is that of every command; ``folder`` is where they run."""

    def __init__(self, network: Network, name: str, address: str, folder: Path, mounts: Mapping[str, Path]) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        self.environment = {
            "HOME": str(folder),
            "PATH": f"{folder.parent / 'bin'}:{SYSTEM_PATH}",
            "LANG": "C.UTF-8",
        }
        self._network = network
        self._mounts = mounts
        #: The same at each start, as that of a real host.
        self._card = f"02:00:00:00:00:{int(address.rpartition('.')[2]):02x}"
        self._port = ""
        self.pid = 0
        self._first: subprocess.Popen[str] | None = None

    @property
    def is_on(self) -> bool:
        return self._first is not None

    def boot(self) -> None:
        """Start the host, with no processes but its first."""
        assert not self.is_on
        self.pid, self._first = _new_namespaces(self.name)
        for place, folder in self._mounts.items():
            self.succeed("mount", "--bind", str(folder), place)
        self._port = f"port{next(_PORT_NUMBERS)}"
        self._network.switch(
            f"ip link add {self._port} type veth peer name eth0 address {self._card} netns {self.pid}",
            f"ip link set {self._port} master wire up",
        )
        for command in ("link set lo up", f"address add {self.address}/24 dev eth0", "link set eth0 up"):
            self.succeed("ip", *command.split())

    def cut_power(self) -> None:
        """End all its processes; no connection is closed, and the address answers nobody."""
        if self._first is not None:
            # First the network: as processes end, their connections would be closed.
            self._network.switch(f"ip link delete {self._port}")
            _end(self.pid, self._first)
            self._first = None

    def unplug(self) -> None:
        """Take it from the network, which no process can see."""
        self._network.switch(f"ip link set {self._port} nomaster")

    def plug(self) -> None:
        self._network.switch(f"ip link set {self._port} master wire")

    def inside(self, *command: str) -> list[str]:
        """``command`` as one that a process outside can start on the host."""
        enter = ("--net", "--mount", "--uts", "--pid", f"--wdns={self.folder}")
        return ["nsenter", f"--target={self.pid}", *enter, "--", *command]

    def run(self, *command: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.inside(*command),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def succeed(self, *command: str, timeout_s: float = 120) -> str:
        """Standard output; fails the test unless the command succeeds."""
        done = self.run(*command, timeout_s=timeout_s)
        assert done.returncode == 0, (self.name, command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def start(self, name: str, command: str) -> None:
        """Start a command of the shell in the background; ``NAME.log`` in the host's folder has what it prints."""
        log = self.folder / f"{name}.log"
        log.touch()
        self.succeed("setsid", "--fork", "bash", "-c", f"exec >>{log} 2>&1 </dev/null; {command}")

    def pids(self) -> list[int]:
        """Its processes but the first, by their numbers outside."""
        wanted = os.stat(f"/proc/{self.pid}/ns/pid").st_ino
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_in(pid, wanted)]
        return [pid for pid in found if pid != self.pid]


@contextmanager
def network() -> Iterator[Network]:
    """Ends all its hosts with the block."""
    need_root("make namespaces")
    need_tools("ip", "unshare", "nsenter", "setsid")
    made = Network()
    try:
        yield made
    finally:
        made.end()


def _new_namespaces(name: str) -> tuple[int, subprocess.Popen[str]]:
    """The first process of new namespaces, by its number outside, and the process that ends when it does."""
    first = subprocess.Popen(
        ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        + [sys.executable, "-c", f"import socket; socket.sethostname({name!r}); {_FIRST}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # It complains when its child is killed.
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "up\n", f"host {name} cannot be made"
    [pid] = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    return int(pid), first


def _end(pid: int, first: subprocess.Popen[str]) -> None:
    os.kill(pid, 9)
    first.wait(60)


def _is_in(pid: int, pid_namespace: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino == pid_namespace
    except OSError:
        return False


def _run(*command: str) -> None:
    done = subprocess.run(command, env={"PATH": SYSTEM_PATH}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done.stderr)
