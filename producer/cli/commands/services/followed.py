"""The configuration of a manager, which it follows while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import ReservationRow
from producer.cli.call import Call
from producer.host.scouting.looks import look
from producer.schedule.asked import configuration_of
from producer.schedule.belongs import belongs_here
from producer.schedule.configured import follow
from tasks.errors import SegfleetError

LOOK_EVERY_S = 5.0


class FollowedConfiguration:
    """Call :meth:`look` often: it reads the file again when it has changed.

    ``call`` then has the new configuration, and the catalog the new schedules.  Faults of the file go to ``note``, and
    the old configuration stays in force.
    """

    def __init__(
        self,
        call: Call,
        catalog: Catalog,
        *,
        manager: str,
        note: Callable[[str], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._call = call
        self._catalog = catalog
        self._manager = manager
        self._note = note
        self._file = str(call.configuration_path or "")
        self._look_every_s = look_every_s
        self._next_look_s = 0.0
        self._seen: tuple[int, ...] | None = None
        #: The last fault of the file; "" while there is none.
        self._complaint = ""

    def serves(self, row: ReservationRow) -> bool:
        """Whether the manager is to run the reservation."""
        return configuration_of(row) in ("", self._file) and belongs_here(row, manager=self._manager)

    def look(self) -> None:
        if not self._file or time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + self._look_every_s
        try:
            seen = look(Path(self._file), _signature)
            if seen != self._seen:
                self._read()
                self._seen, self._complaint = seen, ""
        except OSError as error:
            self._complain(f"the configuration {self._file} cannot be read: {error.strerror}")
        except SegfleetError as error:
            self._complain(error.message)

    def _read(self) -> None:
        if self._seen is not None:
            self._call.read_configuration(self._file)
        schedules = self._call.configuration.schedules
        follow(self._catalog, schedules, self._file, manager=self._manager, note=self._note)

    def _complain(self, why: str) -> None:
        """Once for each state of the file."""
        if self._complaint != why:
            self._complaint = why
            self._note(f"the configuration stays as it was: {why}")


def _signature(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
