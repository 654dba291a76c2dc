"""Things that must be done in the end, even when this process is killed: recorded first, then done at the next start.

A duty is a file in the state folder that names the process that owes it.  It is removed once the duty is done.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from producer.host.processes import start_of
from producer.host.scouting.looks import SilentError, look
from producer.host.state import StateFolder
from producer.host.trusted import check_trusted
from producer.raw.quiesce.thaw_guard import thaw
from tasks.errors import UsageError

#: Does a kind of duty that this module cannot do itself; gets what was recorded.
Carry = Callable[[dict[str, Any]], None]


class Duties:
    def __init__(self, state: StateFolder) -> None:
        self._folder = state.path / "duties"

    @contextmanager
    def thaw(self, point: Path) -> Iterator[None]:
        """The file system at ``point`` must not stay frozen."""
        with self.remember({"kind": "thaw", "point": str(point)}):
            yield

    @contextmanager
    def remember(self, duty: dict[str, Any]) -> Iterator[Callable[[], None]]:
        """Record ``duty`` while the block runs, which does it before it ends.

        Or calls what it gets, to leave the duty to the next start.
        """
        is_left = False

        def leave() -> None:
            nonlocal is_left
            is_left = True

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}.json"
        row = {**duty, "pid": os.getpid(), "started": start_of(os.getpid())}
        written = path.with_suffix(".tmp")
        with open(written, "w", encoding="ascii") as file:
            json.dump(row, file)
            file.flush()
            os.fsync(file.fileno())
        written.rename(path)
        try:
            yield leave
        finally:
            if not is_left:
                path.unlink(missing_ok=True)

    def finish_old(self, carry: Carry) -> list[dict[str, Any]]:
        """Do the duties that dead processes have left; returns them.  ``carry`` does all but thawing."""
        done = []
        for path in sorted(self._folder.glob("*.json")):
            # What is on a file system that does not answer stays a duty.
            with suppress(OSError, ValueError, UsageError, SilentError):
                with path.open("rb") as file:
                    check_trusted(path, os.fstat(file.fileno()), "the note")
                    duty = json.loads(file.read())
                if start_of(duty["pid"]) == duty["started"]:
                    continue  # its owner lives
                look(Path(duty["point"]), _thaw) if duty["kind"] == "thaw" else carry(duty)
                path.unlink(missing_ok=True)
                done.append(duty)
        return done


def _thaw(point: Path) -> None:
    with suppress(OSError):
        fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            thaw(fd)
        finally:
            os.close(fd)
