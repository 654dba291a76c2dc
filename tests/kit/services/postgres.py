"""A real PostgreSQL server on a unix socket, from the system's packages, as a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from kit.deadlines import eventually
from kit.needs import need
from kit.scratch import new_folder

#: Where Debian puts the programs of each version; initdb is not on the PATH there.
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class PostgresServer:
    """Databases on one server; faster than one that must survive a power cut."""

    def __init__(self, folder: Path, user: str, pid: int) -> None:
        self.socket_folder = folder
        self.user = user
        self._pid = pid

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Its processes are stopped: connections stay, and nobody answers."""
        server = psutil.Process(self._pid)
        server.suspend()
        # Only now can no new one come.
        stopped = server.children()
        try:
            for process in stopped:
                process.suspend()
            yield
        finally:
            for process in (*stopped, server):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def new_database(self) -> str:
        """The URL of a database that is empty."""
        name = f"test_{uuid.uuid4().hex}"
        subprocess.run(
            [str(postgres_program("createdb")), "-h", str(self.socket_folder), "-U", self.user, name],
            check=True,
            capture_output=True,
            timeout=60,
        )
        return f"postgresql://{self.user}@/{name}?host={self.socket_folder}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server of its own, which ends with the block."""
    need(postgres_program("initdb"), "no PostgreSQL server: apt install postgresql")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = new_folder("sf-pg-")
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        with _running(folder, user) as pid:
            yield PostgresServer(folder, user, pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(folder: Path, user: str) -> Iterator[int]:
    as_user: dict[str, Any] = {"user": user} if os.geteuid() == 0 else {}
    data = initialize(folder, user)
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=40"]
    server = subprocess.Popen(
        [str(postgres_program("postgres")), "-D", data, *(word for row in settings for word in ("-c", row))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_user,
    )
    try:
        ready = [str(postgres_program("pg_isready")), "-h", str(folder), "-U", user]
        eventually(
            lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, "the server answers"
        )
        yield server.pid
    finally:
        # SIGINT ends its sessions; SIGKILL would leave its shared memory behind.
        server.send_signal(signal.SIGINT)
        server.wait(60)


def initialize(folder: Path, user: str) -> str:
    """Make the data of a server in ``folder``, which belongs to ``user``; returns where."""
    as_user: dict[str, Any] = {"user": user} if os.geteuid() == 0 else {}
    data = str(folder / "data")
    initdb = [
        str(postgres_program("initdb")),
        "-D",
        data,
        "-U",
        user,
        "--auth=trust",
        "--no-sync",
        "-E",
        "UTF8",
    ]
    subprocess.run(initdb, check=True, capture_output=True, timeout=120, cwd=folder, **as_user)
    return data


def postgres_program(name: str) -> str | None:
    return next((str(folder / name) for folder in _FOLDERS if (folder / name).exists()), None) or shutil.which(name)
