"""A fleet of hosts: broker, database, two managers, four agents, and a desk from which commands are given.

Each host has a network, processes and a name of its own.  Its services start with it and are started again when they
end, as systemd does it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import redis

from fleet_disorder.patience import wait_until
from kit.disks.small_disk import SmallDisk
from kit.program.command import make_shim
from kit.program.halting.brake import Brake
from kit.services.namespaces import NamespaceHost, Network
from kit.services.postgres import initialize, postgres_program
from kit.tree import Tree, noise
from producer.manager.presence import managers, runs
from tasks.broker.leases import all_leases

AGENTS = ("a", "b", "c", "d")
MANAGERS = {"m": ("data", "due"), "n": ("more",)}
HOSTS = ("broker", "database", *MANAGERS, *AGENTS, "desk")
#: Folders to restore to.
TARGETS = ("back1", "back2", "back3", "back4")
PASSWORD = "correct-horse"
#: One that ends is started again after this; the units of docs/systemd wait longer.
RESTART_S = 1


class FleetSite:
    """``folder`` has everything: what belongs to one host is in a folder of its name.

    Until ``brake`` is released the devices are so slow that a backup takes some seconds.
    """

    def __init__(self, folder: Path, net: Network, disks: Mapping[str, SmallDisk]) -> None:
        self.folder = folder
        self.disks = disks
        self.sources = {
            volume: Tree({f"d/{n:02}": noise(150_000, seed=seed + n) for n in range(20)}).make(folder / "src" / volume)
            for seed, volume in enumerate(("data", "more", "due"))
        }
        for target in TARGETS:
            (folder / target).mkdir()
        make_shim(folder / "bin")
        (folder / "site").mkdir()
        self.hosts: dict[str, NamespaceHost] = {name: net.host(name, folder / name) for name in HOSTS}
        self.brake = Brake(folder / "brake")
        for name in AGENTS:
            self.hosts[name].environment |= self.brake.settings
        self._services = self._configure()

    def boot(self, name: str) -> None:
        host = self.hosts[name]
        host.boot()
        service = self._services.get(name)
        if service:
            host.start("service", f"while :; do {service}; sleep {RESTART_S}; done")

    def boot_all(self) -> None:
        for name in HOSTS:
            self.boot(name)

    def broker(self) -> redis.Redis:
        """By a socket of its own, which no trouble of the network reaches."""
        return redis.Redis(unix_socket_path=str(self.folder / "broker.sock"), password=PASSWORD, socket_timeout=5)

    def catalog_url(self) -> str:
        return f"postgresql://postgres@/segfleet?host={self.folder / 'pg'}"

    def away(self) -> set[str]:
        """The agents and managers that the broker does not know of; all of them while it does not answer."""
        try:
            client = self.broker()
            here = {lease.device for lease in all_leases(client)} | managers(client).keys()
        except redis.RedisError:
            here = set()
        return {*AGENTS, *MANAGERS} - here

    def storing_runs(self) -> list[str]:
        """The runs that are in the middle of storing."""
        return [run.run_id for run in runs(self.broker()) if run.progress.get("phase") == "storing"]

    def wait_until_back(self, deadline_s: float) -> float:
        """The seconds until nobody was away; raises AssertionError, which names who is, at the deadline."""
        away: set[str] = set()

        def is_back() -> bool:
            away.clear()
            away.update(self.away())
            return not away

        try:
            return wait_until(is_back, "everybody is back", deadline_s=deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {', '.join(sorted(away))} are away") from None

    # ---- configuration

    def _configure(self) -> dict[str, str]:
        """Write the files of all hosts; returns the service of each that has one."""
        for name in HOSTS:
            (self.hosts[name].folder / "segfleet.toml").write_text(self._table_of(name))
            self.hosts[name].environment["SEGFLEET_CONFIG"] = str(self.hosts[name].folder / "segfleet.toml")
        return {
            "broker": self._broker_service(),
            "database": self._database_service(),
            **{name: f"segfleet manager {name}" for name in MANAGERS},
            **{name: f"segfleet worker {name}" for name in AGENTS},
        }

    def _table_of(self, name: str) -> str:
        lines = ["[broker]", f'url = "redis://:{PASSWORD}@{self.hosts["broker"].address}:6379/0"']
        if name in MANAGERS:
            lines += ["[catalog]", f'url = "postgresql://postgres@{self.hosts["database"].address}/segfleet"']
            lines += [f"[devices.{device}]" for device in AGENTS]
        if name in AGENTS:
            place = self._disk(name) / "device"
            place.mkdir()
            lines += [f"[devices.{name}]", f'path = "{place}"', 'max-rate = "128KiB"']
            for target in TARGETS:
                lines += [f"[targets.{target}]", f'path = "{self.folder / target}"']
        if name in MANAGERS or name in AGENTS:
            for volume, source in self.sources.items():
                lines += [f"[sources.{volume}]", f'path = "{source}"']
        return "\n".join(lines) + "\n"

    def _disk(self, name: str) -> Path:
        return self.disks[name].folder if name in self.disks else self.hosts[name].folder

    def _broker_service(self) -> str:
        options = f"--bind 0.0.0.0 --requirepass {PASSWORD} --dir {self._disk('broker')} --save '' --appendonly yes"
        return f"redis-server {options} --unixsocket {self.folder / 'broker.sock'} --unixsocketperm 777"

    def _database_service(self) -> str:
        folder = self.folder / "pg"
        folder.mkdir()
        shutil.chown(folder, "postgres")
        data = initialize(folder, "postgres")
        with open(f"{data}/pg_hba.conf", "a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\n")
        subprocess.run(
            [str(postgres_program("postgres")), "--single", "-D", data, "postgres"],
            input=b"create database segfleet\n",
            check=True,
            capture_output=True,
            cwd=folder,
            user="postgres",
        )
        as_user = "setpriv --reuid=postgres --regid=postgres --clear-groups"
        settings = f"-c listen_addresses='*' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
        return f"{as_user} {postgres_program('postgres')} -D {data} {settings}"
