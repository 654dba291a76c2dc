"""The commands that a manager has accepted and not finished, on its disk: one file each."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from producer.manager.protocol.messages import Command, decode_command
from tasks.bounded_json import dump_json, load_json
from tasks.errors import MessageError, SegfleetError
from tasks.wire import encode

log = logging.getLogger("segfleet.manager")


class Ledger:
    """Files in ``folder``, which is created.  A file that cannot be carried out is kept under another name."""

    def __init__(self, folder: Path) -> None:
        """Raises SegfleetError when the folder cannot be made."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "check the state folder (SEGFLEET_STATE) and its disk"
            raise SegfleetError(f"cannot make {folder}: {error.strerror}", hint=hint, path=str(folder)) from error
        self._folder = folder

    def add(self, command: Command) -> bool:
        """Whether the command is new; it is on the disk when this returns.  Raises OSError."""
        path = self._path(command.run_id)
        if path.exists():
            return False
        temporary = path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                file.write(dump_json(encode(command)))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        return True

    def remove(self, run_id: str) -> None:
        """A file that cannot be removed is found by the next start, which knows from the catalog how the run ended."""
        try:
            self._path(run_id).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the command of run %s stays in the ledger: %s", run_id[:8], error)

    def commands(self) -> list[Command]:
        """The commands that were unfinished when the manager ended."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(decode_command(load_json(path.read_bytes())))
            except (OSError, MessageError) as error:
                self._set_aside(path, str(error))
        return found

    def set_aside(self, run_id: str, why: str) -> None:
        """Keep a command that cannot be carried out for a person to look at, under a name that no start reads."""
        self._set_aside(self._path(run_id), why)

    def _set_aside(self, path: Path, why: str) -> None:
        aside = path.with_suffix(".refused")
        log.warning("cannot carry out %s: %s; it is kept as %s", path.name, why, aside)
        with contextlib.suppress(OSError):
            path.replace(aside)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"
