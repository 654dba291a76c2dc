"""Which messages people have got, kept in the state folder: commands, managers and timers share it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from producer.host.state import StateFolder
from producer.host.whole_file import write_whole
from producer.notify.changes import Told

_MAX_BYTES = 1 << 20


class Memory:
    """Every method raises OSError where the state folder cannot be used."""

    def __init__(self, state: StateFolder) -> None:
        self._file = state.path / "notified.json"
        self._locks = state.path / "notifying"

    def told(self) -> dict[str, Told]:
        """What people know, by key; empty when the file is damaged, so that some messages come twice."""
        with suppress(FileNotFoundError, msgspec.DecodeError), self._file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_MAX_BYTES), type=dict[str, Told])
        return {}

    def keep(self, key: str, told: Told | None) -> None:
        """Remember what people know now; None: that all is well again."""
        with _locked(self._file.with_suffix(".lock")):
            others = {one: what for one, what in self.told().items() if one != key}
            write_whole(self._file, msgspec.json.encode(others if told is None else others | {key: told}), 0o600)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Nobody else is inside this block with the same key: what takes long, a mail, holds up no other message."""
        # A key may be longer than a file's name.
        with _locked(self._locks / f"{sha256(key.encode()).hexdigest()[:32]}.lock"):
            yield


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
