"""The spool: a bounded folder with a file for each segment that is read from a stream, until it is stored.

A file stays after its segment is recorded for as long as its room is not needed: what a device has stored and dies
with can be stored again then.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from producer.host.device_locks import open_lock_file
from producer.host.state import make_private
from tasks.errors import StreamError

_LOCK = "lock"
_PREFIX = "stream-"


class SpoolClosedError(Exception):
    """Nothing more goes into the spool: the run ends."""


def piece_name(number: int) -> str:
    """The name of a segment's file."""
    return f"{number:08}.part"


class Spool:
    """The files of one run.  One thread fills it, another says what is recorded."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        #: Segment number → the room that its file has.
        self._rooms_bytes: dict[int, int] = {}
        #: Those that may go when room is needed, the oldest first.
        self._recorded: dict[int, None] = {}
        self._removed: set[int] = set()
        self._is_closed = False
        self._is_waiting = False

    # ---- for the thread that fills it

    def begin(self, number: int, size_bytes: int) -> IO[bytes]:
        """A new file with room for ``size_bytes``; waits for room.

        Raises SpoolClosedError, and StreamError when the file cannot be made.
        """
        with self._changed:
            while sum(self._rooms_bytes.values()) + size_bytes > self._limit_bytes and not self._is_closed:
                if self._recorded:
                    self._remove(next(iter(self._recorded)))
                else:
                    self._is_waiting = True
                    self._changed.wait()
            self._is_waiting = False
            if self._is_closed:
                raise SpoolClosedError
            self._rooms_bytes[number] = size_bytes
        try:
            return open(self.folder / piece_name(number), "xb", buffering=0)
        except OSError as error:
            raise spool_error(self.folder, error) from error

    def finish(self, number: int, size_bytes: int) -> None:
        """The file is complete."""
        with self._changed:
            self._rooms_bytes[number] = size_bytes

    # ---- for the thread that stores

    @property
    def is_full(self) -> bool:
        """Whether the stream waits until something is stored."""
        return self._is_waiting

    def unrecorded(self) -> list[int]:
        """The segments that no device is known to have."""
        with self._changed:
            return [number for number in self._rooms_bytes if number not in self._recorded]

    def removed(self) -> set[int]:
        """The segments that cannot be stored again."""
        with self._changed:
            return set(self._removed)

    def record(self, number: int) -> None:
        """A device has the segment: its file may go."""
        with self._changed:
            self._recorded[number] = None
            self._changed.notify()

    def take_back(self, numbers: Collection[int]) -> set[int]:
        """Those of ``numbers`` whose file is still there; it stays until they are recorded again."""
        with self._changed:
            found = {number for number in numbers if number in self._recorded}
            for number in found:
                del self._recorded[number]
            return found

    def close(self) -> None:
        """End the wait of the thread that fills it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _remove(self, number: int) -> None:
        del self._recorded[number], self._rooms_bytes[number]
        self._removed.add(number)
        (self.folder / piece_name(number)).unlink(missing_ok=True)


def spool_error(folder: Path, error: OSError) -> StreamError:
    return StreamError(
        f"cannot write the spool {folder.parent}: {error.strerror}",
        hint="make room there, lower --spool-size, or name another folder with --spool",
        path=str(folder.parent),
    )


@contextmanager
def opened_spool(parent: Path, limit_bytes: int) -> Iterator[Spool]:
    """A spool in ``parent``, removed with the block; what runs that are gone have left there is removed first.

    Raises StreamError, CatalogError, UsageError for a folder that cannot be used.
    """
    make_private(parent)
    folder = parent / f"{_PREFIX}{uuid.uuid4().hex}"
    with open_lock_file(parent / _LOCK) as sweeping:
        # So that nobody takes a folder for stale before its lock is taken.
        fcntl.flock(sweeping, fcntl.LOCK_EX)
        _remove_stale(parent)
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise spool_error(folder, error) from error
        lock = open_lock_file(folder / _LOCK)
        fcntl.flock(lock, fcntl.LOCK_EX)
    spool = Spool(folder, limit_bytes)
    try:
        yield spool
    finally:
        spool.close()
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _remove_stale(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if not (folder / _LOCK).exists() or _is_unlocked(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _is_unlocked(path: Path) -> bool:
    """The kernel has released the lock of a process that was killed."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
