"""The troubles that a fleet may meet, each as a function that makes it happen for real.

A trouble returns what ends it, or None when it ends by itself.  It does nothing when what it would hit is not there at
its random moment.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import redis

from fleet_disorder.firewall import drop_known_connections, reset_known_connections
from fleet_disorder.site import AGENTS, MANAGERS, FleetSite

End = Callable[[], None] | None
Trouble = Callable[[FleetSite, str], End]

SERVERS = ("broker", "database")
EVERY_HOST = (*SERVERS, *MANAGERS, *AGENTS)


def cut_power(site: FleetSite, host: str) -> End:
    if not site.hosts[host].is_on:
        return None
    site.hosts[host].cut_power()
    return lambda: site.boot(host)


def unplug(site: FleetSite, host: str) -> End:
    """Nothing arrives, nobody is told, no connection ends."""
    if not site.hosts[host].is_on:
        return None
    site.hosts[host].unplug()

    def plug() -> None:
        if site.hosts[host].is_on:
            site.hosts[host].plug()

    return plug


def forget_connections(site: FleetSite, host: str) -> End:
    """As a firewall that has lost its table: what was connected stays silent for ever, new connections work."""
    if site.hosts[host].is_on:
        drop_known_connections(site.hosts[host])
    return None


def reset_connections(site: FleetSite, host: str) -> End:
    """As a firewall that says so."""
    return reset_known_connections(site.hosts[host]) if site.hosts[host].is_on else None


def stand_still(site: FleetSite, host: str) -> End:
    """As a virtual machine that is moved, or a host that swaps."""
    pids = site.hosts[host].pids() if site.hosts[host].is_on else []
    _send(pids, signal.SIGSTOP)
    return lambda: _send(pids, signal.SIGCONT)


def kill_service(site: FleetSite, host: str) -> End:
    """Its supervisor starts it again."""
    _send(_service_of(site, host), signal.SIGKILL)
    return None


def restart_service(site: FleetSite, host: str) -> End:
    # PostgreSQL's supervisors send SIGINT: after SIGTERM it waits for its clients, also for those whose power is cut.
    _send(_service_of(site, host)[:1], signal.SIGINT if host == "database" else signal.SIGTERM)
    return None


def refuse_writes(site: FleetSite, _host: str) -> End:
    """The broker answers reads only, as one that waits for a replica."""
    return _change(site, "min-replicas-to-write", "1", "0")


def fill_memory(site: FleetSite, _host: str) -> End:
    return _change(site, "maxmemory", "1", "0")


def fill_disk(site: FleetSite, host: str) -> End:
    disk = site.disks.get(host)
    if disk is None:
        return None
    ballast = disk.folder / "ballast"
    room = os.statvfs(disk.folder)
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - 50_000))
    return lambda: ballast.unlink(missing_ok=True)


#: Each trouble with the hosts that it may hit.
TROUBLES: dict[str, tuple[Trouble, tuple[str, ...]]] = {
    "cut_power": (cut_power, EVERY_HOST),
    "unplug": (unplug, EVERY_HOST),
    "forget_connections": (forget_connections, EVERY_HOST),
    "reset_connections": (reset_connections, EVERY_HOST),
    "stand_still": (stand_still, EVERY_HOST),
    "kill_service": (kill_service, EVERY_HOST),
    "restart_service": (restart_service, EVERY_HOST),
    "refuse_writes": (refuse_writes, ("broker",)),
    "fill_memory": (fill_memory, ("broker",)),
    "fill_disk": (fill_disk, ("broker", "a")),
}


def _change(site: FleetSite, setting: str, value: str, usual: str) -> End:
    try:
        site.broker().config_set(setting, value)
    except redis.RedisError:
        return None

    def change_back() -> None:
        # A broker that was restarted meanwhile has forgotten it.
        with contextlib.suppress(redis.RedisError):
            site.broker().config_set(setting, usual)

    return change_back


def _service_of(site: FleetSite, host: str) -> list[int]:
    """The processes of a host's service, but not the shell that starts it again; the oldest first."""
    pids = site.hosts[host].pids() if site.hosts[host].is_on else []
    return [pid for pid in pids if _name_of(pid) != "bash"]


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
