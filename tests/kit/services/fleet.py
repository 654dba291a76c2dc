"""A fleet on one machine: a real redis-server on loopback, and hosts with a configuration and a state of their own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import psutil
import redis

from kit.deadlines import eventually
from kit.needs import program
from kit.program.command import Done, Running
from kit.program.machine import Machine
from kit.scratch import new_folder
from producer.manager.presence import managers
from tasks.broker.leases import Lease, all_leases

PASSWORD = "correct-horse-battery-staple"


class RedisServer:
    """A redis-server on a TCP port of loopback, with an append-only file, that can be ended and started again."""

    def __init__(self, folder: Path, *options: str, scheme: str = "redis", password: str = PASSWORD) -> None:
        self.port = _free_port()
        self.url = f"{scheme}://:{password}@127.0.0.1:{self.port}/0"
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = ["--port", str(self.port)] if scheme == "redis" else ["--port", "0", "--tls-port", str(self.port)]
        fixed = ["--bind", "127.0.0.1", "--requirepass", password, "--save", "", "--dir", str(folder)]
        # Killed, it has lost nothing; only a power cut takes what is not synced, and to sync takes long on a busy disk.
        file = ["--appendonly", "yes", "--appendfsync", "no"]
        self._command = [program("redis-server"), *settings, *fixed, *file, *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def use(self, *options: str) -> None:
        """Options from the next start on."""
        self._command += options

    def start(self) -> None:
        path = self._folder / "log"
        with path.open("ab") as log:
            before_bytes = log.tell()
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        # Its port is open before it has loaded what it kept, and a TLS server wants a client's certificate for more.
        eventually(
            lambda: b"Ready to accept connections" in path.read_bytes()[before_bytes:],
            f"redis-server is ready: {path.read_text()[-500:]}",
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def client(self, **options: object) -> redis.Redis:
        return redis.Redis.from_url(self.url, **options)


class Fleet:
    """Hosts around one broker.  All their processes are ended with the ``fleet`` block."""

    def __init__(self, folder: Path, server: RedisServer, stack: ExitStack) -> None:
        self.folder = folder
        self.server = server
        self._stack = stack

    def host(
        self,
        name: str,
        *,
        devices: Mapping[str, Path | None] | None = None,
        sources: Mapping[str, Path] | None = None,
        targets: Mapping[str, Path] | None = None,
        url: str | None = None,
        rate: str | Mapping[str, str] = "",
    ) -> Machine:
        """A host with a configuration; a device that is None has no folder there.

        No device is faster than ``rate``, which may be one for each.
        """
        rates = dict.fromkeys(devices or {}, rate) if isinstance(rate, str) else rate
        folder = self.folder / name
        folder.mkdir()
        lines = ["[broker]", f'url = "{url or self.server.url}"']
        for device, path in (devices or {}).items():
            limit = rates.get(device, "")
            lines += [f"[devices.{device}]"]
            lines += [f'path = "{path}"'] * bool(path) + [f'max-rate = "{limit}"'] * bool(limit)
        for section, named in (("sources", sources or {}), ("targets", targets or {})):
            for key, path in named.items():
                lines += [f"[{section}.{key}]", f'path = "{path}"']
        (folder / "segfleet.toml").write_text("\n".join(lines) + "\n")
        machine = Machine(folder)
        self._stack.callback(machine.end)
        return machine

    def leases(self) -> list[Lease]:
        return all_leases(self.server.client())

    def bytes_moved(self, pid: int) -> int:
        """What the worker says it has moved so far; 0 without a lease."""
        return next((lease.bytes_moved for lease in self.leases() if lease.pid == pid), 0)

    def wait_until_moved(self, pid: int, *, more_than_bytes: int = 0) -> None:
        eventually(lambda: self.bytes_moved(pid) > more_than_bytes, f"worker {pid} has moved bytes")

    def agent(
        self,
        host: Machine,
        *devices: str,
        options: Sequence[str] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> Running:
        """Start ``segfleet worker`` on the host; returns once each of the devices has one worker more than before.

        ``settings`` are further environment variables.
        """
        before = {(lease.worker, lease.pid) for lease in self.leases()}
        running = host.start("worker", *devices, *options, **settings)

        def is_served() -> bool:
            assert not running.has_ended, running.stderr
            new = [lease for lease in self.leases() if (lease.worker, lease.pid) not in before]
            return {lease.device for lease in new} >= set(devices)

        eventually(is_served, f"agents serve {devices}")
        return running

    def manager(self, host: Machine, name: str, *options: str, **settings: str) -> Running:
        """Start ``segfleet manager`` on the host; returns once it is there."""
        running = host.start("manager", name, *options, **settings)

        def is_there() -> bool:
            assert not running.has_ended, running.stderr
            found = managers(self.server.client()).get(name)
            return found is not None and found.pid == running.pid

        eventually(is_there, f"manager {name} is there")
        return running


def kill_tree(running: Running) -> None:
    """SIGKILL, as when a host loses its power: none of the processes can react."""
    signal_tree(running, signal.SIGKILL)
    assert running.wait().exit_code == -signal.SIGKILL


def signal_tree(running: Running, number: signal.Signals) -> None:
    """Send a signal to the process and all below it."""
    main = psutil.Process(running.pid)
    below = main.children(recursive=True)
    main.send_signal(number)
    for process in below:
        # Workers die with their parent.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def succeeded(done: Done) -> Done:
    assert done.exit_code == 0, done
    return done


@contextmanager
def fleet() -> Iterator[Fleet]:
    folder = new_folder("sf-fleet-")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        server = RedisServer(folder / "redis")
        stack.callback(server.end)
        yield Fleet(folder, server, stack)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
