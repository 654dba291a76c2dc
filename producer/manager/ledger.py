"""The commands that a manager has accepted and not finished, on its disk: one file each."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from producer.manager.messages import Command, decode_command
from tasks.errors import MessageError
from tasks.wire import encode

log = logging.getLogger("segfleet.manager")


class Ledger:
    """Files in ``folder``, which is made.  A file that does not read as a command is left alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def add(self, command: Command) -> bool:
        """Whether the command is new; it is on the disk when this returns."""
        path = self._path(command.run_id)
        if path.exists():
            return False
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", encoding="ascii") as file:
            json.dump(encode(command), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        return True

    def remove(self, run_id: str) -> None:
        self._path(run_id).unlink(missing_ok=True)

    def commands(self) -> list[Command]:
        """What was under way when the manager ended."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(decode_command(json.loads(path.read_text(encoding="ascii"))))
            except (OSError, ValueError, MessageError) as error:
                log.warning("passed over %s: %s", path, error)
        return found

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"
