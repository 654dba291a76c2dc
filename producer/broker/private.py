"""The private server of a state folder, for its users.  The package's docstring has the protocol."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from producer.broker.server import find_server, server_command
from producer.host.device_locks import open_lock_file
from tasks.errors import BrokerError

#: A start takes 0.1 s on an idle machine, and the end of an earlier server 1 s at most.
START_TIMEOUT_S = 10.0
#: A live server answers within a millisecond; a stopped one not at all.
_ANSWER_TIMEOUT_S = 1.0
_PAUSE_S = 0.002
#: A start and an end write 2 KB; older lines tell what happened in earlier runs.
_LOG_LIMIT_BYTES = 1024 * 1024

_KEEPER = Path(__file__).with_name("keeper.py")
_PEER_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class PrivateServer:
    """The server in ``folder``, for a caller that holds a share of ``users.lock``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket_path = folder / "broker.sock"
        self.log_path = folder / "broker.log"

    def ensure_running(self) -> None:
        """Return once the server answers; start it when it has no keeper.  Takes 0.2 ms when it runs.

        Raises BrokerError when it does not come up.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        started = False
        while self.answering_pid() is None:
            if time.monotonic() > deadline:
                raise self._not_answering()
            with self._keeper_lock() as lock:
                if lock is None:
                    time.sleep(_PAUSE_S)
                elif started:
                    raise BrokerError(f"cannot start the private broker: {self._last_words()}", hint=self.see_log)
                elif self.answering_pid() is None:
                    self._start_keeper(lock)
                    started = True

    def answering_pid(self) -> int | None:
        """Process id of the server, if it answers a PING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_TIMEOUT_S)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(16)
            except OSError:
                return None
            if not answer.startswith(b"+PONG"):  # -LOADING: it still reads its data
                return None
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
            pid: int = _PEER_CREDENTIALS.unpack(peer)[0]
            return pid

    def empty_unless_kept(self) -> None:
        """Remove what a keeper that was killed left behind.  Only for a caller that is the only user."""
        with self._keeper_lock() as lock:
            if lock is not None:
                shutil.rmtree(self.folder / "data", ignore_errors=True)
                self.socket_path.unlink(missing_ok=True)
                if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
                    self.log_path.unlink()

    @contextmanager
    def _keeper_lock(self) -> Iterator[IO[bytes] | None]:
        """The lock that a keeper holds while it lives, or None when one does."""
        with open_lock_file(self.folder / "keeper.lock") as lock:
            yield lock if try_lock(lock, fcntl.LOCK_EX) else None

    def begin(self) -> subprocess.Popen[bytes] | None:
        """Start the server when it has no keeper, and do not wait: what is returned is to be waited for."""
        with self._keeper_lock() as lock:
            return None if lock is None or self.answering_pid() is not None else self._begin_keeper(lock)

    def _start_keeper(self, lock: IO[bytes]) -> None:
        if self._begin_keeper(lock).wait() != 0:
            raise BrokerError(f"the private broker's keeper ended at once: {self._last_words()}", hint=self.see_log)

    def _begin_keeper(self, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a keeper that inherits ``lock``: it is held without a gap from here to the keeper's end."""
        server = server_command(find_server(), self.folder)
        keeper = [sys.executable, "-I", "-S", str(_KEEPER), str(self.folder), str(lock.fileno())]
        with open(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as log:
            return subprocess.Popen(
                keeper + server,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )

    @property
    def see_log(self) -> str:
        return f"see {self.log_path}, or set SEGFLEET_BROKER_URL to a running server"

    def _last_words(self) -> str:
        """The last line of the log that is not the keeper's own."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except OSError as error:
            return f"no log ({error.strerror})"
        return next((line.strip() for line in reversed(lines) if line and ":K " not in line), "it says nothing")

    def _not_answering(self) -> BrokerError:
        return BrokerError(
            f"the private broker in {self.folder} does not answer within {START_TIMEOUT_S:.0f} s: {self._last_words()}",
            hint=f"{self.see_log}; if another host uses this state folder, give each its own SEGFLEET_STATE",
        )


def try_lock(file: IO[bytes], kind: int) -> bool:
    """Take the lock, or change the one that is held; False when others hold one that is in the way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
