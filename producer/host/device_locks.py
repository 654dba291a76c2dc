"""Named locks in the state folder for the devices of one host, held while the holder lives.

They keep apart runs that start their own workers for a device, whatever catalog they use and even when they only
read.  What the runs of one catalog must not do at once has locks in the catalog (:mod:`producer.ownership`).

The kernel releases a lock when its process dies, however it dies, so no lock is ever stale.  A lock file stays when
its lock is released: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from producer.host.patience import NO_PATIENCE, Patience
from producer.host.state import StateFolder
from tasks.bounded_json import dump_json, load_json
from tasks.errors import CatalogError, LockedError, MessageError

#: A longer command line tells a person nothing new.
_MAX_COMMAND_CHARACTERS = 500


class LockOwner(Struct, frozen=True, kw_only=True):
    """Who holds a lock, as written into its file.  ``since`` is RFC 3339, UTC."""

    pid: int
    host: str
    command: str
    purpose: str
    since: str

    def __str__(self) -> str:
        return f"{self.purpose} (pid {self.pid} on {self.host}, since {self.since}: {self.command})"


@contextmanager
def locked(
    state: StateFolder,
    name: str,
    *,
    purpose: str,
    patience: Patience = NO_PATIENCE,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock ``name`` ("device a") during the with block.

    Raises LockedError when another process, or this one, holds it still when ``patience`` ends; the error says who.
    Released by the kernel when the process dies.  A forked child shares the lock;
    a child that is started as a program does not.
    """
    with open_lock_file(_path_of(state, name)) as file:
        while not _try(file):
            if not patience.wait(on_wait):
                file.seek(0)
                raise LockedError(f"{name} is in use by {_read_owner(file.read())}")
        _write(file.fileno(), dump_json(asdict(_this_process(purpose))))
        try:
            yield
        finally:
            _write(file.fileno(), b"")


def _try(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock_file(path: Path) -> IO[bytes]:
    """Open a lock's file, made if need be; raises CatalogError when another user has made it."""
    try:
        return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
    except OSError as error:
        raise CatalogError(
            f"cannot open the lock file {path}: {error.strerror}",
            hint=f"if segfleet has run as another user (sudo -E), remove it: rm {shlex.quote(str(path))}",
            path=str(path),
        ) from error


def _path_of(state: StateFolder, name: str) -> Path:
    # % and / of a name must not become parts of a path.
    return state.locks_dir / f"{quote(name, safe=' ')}.lock"


def _this_process(purpose: str) -> LockOwner:
    return LockOwner(
        pid=os.getpid(),
        host=platform.node(),
        command=shlex.join(sys.argv)[:_MAX_COMMAND_CHARACTERS],
        purpose=purpose,
        since=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _read_owner(content: bytes) -> str:
    """The owner in words; it may not have written its name yet."""
    try:
        return str(msgspec.convert(load_json(content), LockOwner))
    except (MessageError, msgspec.ValidationError):
        return "another process"


def _write(descriptor: int, content: bytes) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
