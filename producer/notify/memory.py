"""What people have been told, in the state folder: commands, managers and timers share it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from producer.host.state import StateFolder
from producer.host.whole_file import write_whole
from producer.notify.changes import Told

_MAX_BYTES = 1 << 20


class Memory:
    def __init__(self, state: StateFolder) -> None:
        self._file = state.path / "notified.json"

    @contextmanager
    def opened(self) -> Iterator[dict[str, Told]]:
        """What was told, for this process alone; it is kept as the block leaves it.  Raises OSError."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            found = _read(self._file)
            before = dict(found)
            yield found
            if found != before:
                write_whole(self._file, msgspec.json.encode(found), 0o600)
        finally:
            os.close(handle)


def _read(file: Path) -> dict[str, Told]:
    """Nothing, where the file is damaged: then some things are told twice."""
    with suppress(OSError, msgspec.DecodeError), file.open("rb") as opened:
        return msgspec.json.decode(opened.read(_MAX_BYTES), type=dict[str, Told])
    return {}
