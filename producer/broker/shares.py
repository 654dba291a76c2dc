"""One user's share in the private server of a state folder.  The package's docstring has the protocol."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from producer.broker.private import START_TIMEOUT_S, PrivateServer, try_lock
from producer.host.device_locks import open_lock_file
from producer.host.state import LONGEST_SOCKET_PATH_BYTES
from tasks.errors import BrokerError, SegfleetError

_PAUSE_S = 0.002

#: Folder → the share that :func:`begin_private_server` took, and the keeper that it started.
_begun: dict[Path, tuple[IO[bytes], subprocess.Popen[bytes] | None]] = {}


def begin_private_server(folder: Path) -> None:
    """Start the server in ``folder`` unless it has a user, for a process that will use it, and return at once.

    The share that this takes is that of the next :func:`private_server`, or ends with the process.  What is in the way
    is not told here: that will find it too.
    """
    if folder in _begun:
        return
    with suppress(SegfleetError, OSError):
        users = _users_lock(folder)
        # Another user has it running, or it is just ending.
        if try_lock(users, fcntl.LOCK_EX):
            server = PrivateServer(folder)
            server.empty_unless_kept()
            if try_lock(users, fcntl.LOCK_SH):
                _begun[folder] = users, server.begin()
                return
        users.close()


@contextmanager
def private_server(folder: Path) -> Iterator[PrivateServer]:
    """Use the private server in ``folder``, started if need be, during the with block.

    Leaving returns at once; the keeper stops the server when this was the last user.  Raises
    BrokerError when the server cannot be started.
    """
    server = PrivateServer(folder)
    with _share(server):
        server.ensure_running()
        yield server


def _share(server: PrivateServer) -> IO[bytes]:
    if server.folder in _begun:
        users, keeper = _begun.pop(server.folder)
        if keeper is not None:
            keeper.wait()
        return users
    users = _users_lock(server.folder)
    try:
        _join(users, server)
    except BaseException:
        users.close()
        raise
    return users


def _users_lock(folder: Path) -> IO[bytes]:
    _check_length(PrivateServer(folder).socket_path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return open_lock_file(folder / "users.lock")


def _join(users: IO[bytes], server: PrivateServer) -> None:
    """Take a share of the users' lock, after waiting for a keeper that is just ending."""
    if try_lock(users, fcntl.LOCK_EX):
        server.empty_unless_kept()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not try_lock(users, fcntl.LOCK_SH):
        if time.monotonic() > deadline:
            raise BrokerError(f"the private broker in {server.folder} does not stop", hint=server.see_log)
        time.sleep(_PAUSE_S)


def _check_length(path: Path) -> None:
    length_bytes = len(os.fsencode(path))
    if length_bytes > LONGEST_SOCKET_PATH_BYTES:
        raise BrokerError(
            f"the path of the private broker's socket has {length_bytes} bytes, the system allows "
            f"{LONGEST_SOCKET_PATH_BYTES}: {path}",
            hint="set SEGFLEET_STATE to a folder with a shorter path",
            path=str(path),
        )
