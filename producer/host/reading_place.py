"""Where a run that only reads has its broker, locks and logs: apart from those of other runs, so it waits for none.

Orders go to a device by its name, so two runs at one private broker would take each other's.  Workers of several runs
may serve one device at the same time, so a broker for each run is all that is needed.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from producer.host.device_locks import open_lock_file
from producer.host.state import LONGEST_SOCKET_PATH_BYTES, StateFolder, make_private, work_elsewhere

#: State folder → the place that this process has taken, and the lock on it, which the kernel releases.
_taken: dict[Path, tuple[StateFolder, IO[bytes]]] = {}


def place_to_read(state: StateFolder) -> StateFolder:
    """``state`` with a place of this process's own in it, which it keeps until it ends.  Raises CatalogError."""
    if state.path not in _taken:
        _taken[state.path] = _take(state)
    return _taken[state.path][0]


def _take(state: StateFolder) -> tuple[StateFolder, IO[bytes]]:
    readers = state.broker_dir.parent / "readers"
    if len(os.fsencode(readers / "999/broker/broker.sock")) > LONGEST_SOCKET_PATH_BYTES:
        readers = work_elsewhere(state.path, "its path is too long for another socket") / "readers"
    make_private(readers)
    for number in itertools.count(1):
        place = replace(state, work=readers / str(number))
        for folder in (readers / str(number), place.broker_dir, place.locks_dir, place.logs_dir):
            make_private(folder)
        lock = open_lock_file(readers / str(number) / "reader.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return place, lock
    raise AssertionError("numbers never end")
